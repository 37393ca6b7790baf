package proto

import "strconv"

// Version is the version of HTTP that the client speaks. An HTTP/1.0 request reaches
// workers as HTTP11.
type Version uint8

// The versions.
const (
	HTTP11 Version = 1
	HTTP2  Version = 2
	HTTP3  Version = 3
)

// String returns "HTTP/1.1", "HTTP/2" or "HTTP/3".
func (v Version) String() string {
	switch v {
	case HTTP11:
		return "HTTP/1.1"
	case HTTP2:
		return "HTTP/2"
	case HTTP3:
		return "HTTP/3"
	}
	return "Version(" + strconv.Itoa(int(v)) + ")"
}

func (v Version) valid() bool { return v >= HTTP11 && v <= HTTP3 }
