package attach

// Welcome is the server's answer to a Hello that it accepts, type "welcome".
// The file descriptors of the link come with it.
//
//	layout               uint    the memory layout that both will use
//	features             uint    bits of what both can do
//	layout_hash          uint    hash of the server's table of that layout, 64 bits
//	instance             uint    this run of the server, random, 64 bits
//	server_pid           uint    the server's process id, in its own PID namespace
//	server               string  its name and version
//	link                 uint    the link's row in the request segment, from 0
//	link_generation      uint    what tells the row's link from its last one
//	lanes                uint    lanes in the response segment
//	request_bytes        uint    length of the request segment, bytes
//	response_bytes       uint    length of the response segment, bytes
//	response_timeout_ms  uint    how long the server waits for a response,
//	                             milliseconds
type Welcome struct {
	Layout                      uint16
	Features                    uint64
	LayoutHash                  uint64
	Instance                    uint64
	ServerPID                   uint32
	Server                      string
	Link, LinkGeneration        uint32
	Lanes                       uint32
	RequestBytes, ResponseBytes uint64
	ResponseTimeoutMS           uint64
}

// Type returns "welcome".
func (*Welcome) Type() string { return "welcome" }

func (w *Welcome) keys() []key {
	return []key{
		{"layout", &w.Layout},
		{"features", &w.Features},
		{"layout_hash", &w.LayoutHash},
		{"instance", &w.Instance},
		{"server_pid", &w.ServerPID},
		{"server", &w.Server},
		{"link", &w.Link},
		{"link_generation", &w.LinkGeneration},
		{"lanes", &w.Lanes},
		{"request_bytes", &w.RequestBytes},
		{"response_bytes", &w.ResponseBytes},
		{"response_timeout_ms", &w.ResponseTimeoutMS},
	}
}
