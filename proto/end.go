package proto

import (
	"io"
	"strconv"
)

// endBytes is the length of an end frame.
const endBytes = headBytes + 1

// AppendEnd appends an end frame to dst. It allocates only to grow dst.
func AppendEnd(dst []byte, streamID uint64) []byte {
	return append(appendHead(dst, FrameEnd, streamID), 0)
}

// ParseEnd parses the end frame that b begins with and returns the frame's
// length in bytes. Nothing of b is retained and nothing is allocated.
//
// It fails with io.ErrUnexpectedEOF or a *FormatError.
func ParseEnd(b []byte) (streamID uint64, n int, err error) {
	s := string(b[:min(len(b), endBytes)])
	streamID, err = parseHead(s, FrameEnd)
	if err != nil {
		return 0, 0, err
	}
	if len(s) < endBytes {
		return 0, 0, io.ErrUnexpectedEOF
	}
	if flags := s[headBytes]; flags != 0 {
		return 0, 0, &FormatError{Err: ErrEndFlags, Offset: headBytes, What: strconv.Itoa(int(flags))}
	}
	return streamID, endBytes, nil
}
