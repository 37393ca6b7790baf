package proto

import "io"

// AppendBody appends a body frame to dst. It allocates only to grow dst.
//
// Body and end frames are for relaying a stream over a network: the body slots
// of a lane are raw bytes.
func AppendBody(dst []byte, streamID uint64, body []byte) []byte {
	dst = appendHead(dst, FrameBody, streamID)
	return append(appendUvarint(dst, len(body)), body...)
}

// ParseBody parses the body frame that b begins with and returns the frame's
// length in bytes. body aliases b and lives as long as b does. The bytes before
// the body are copied and then read; nothing is allocated.
//
// It fails with io.ErrUnexpectedEOF or a *FormatError. A frame may announce
// more than will ever come: a caller that waits for the rest sets the limit.
func ParseBody(b []byte) (streamID uint64, body []byte, n int, err error) {
	s := string(b[:min(len(b), headBytes+maxUvarint)])
	streamID, err = parseHead(s, FrameBody)
	if err != nil {
		return 0, nil, 0, err
	}
	length, at, err := parseLength(s, headBytes)
	if err != nil {
		return 0, nil, 0, err
	}
	if length > len(b)-at {
		return 0, nil, 0, io.ErrUnexpectedEOF
	}
	n = at + length
	return streamID, b[at:n:n], n, nil
}
