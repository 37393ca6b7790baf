package supervise_test

import (
	"io"
	"time"
)

// pausing is the body of a client that sends a byte now and then.
type pausing struct {
	left  int
	pause time.Duration
}

func (p *pausing) Read(b []byte) (int, error) {
	if p.left == 0 {
		return 0, io.EOF
	}
	time.Sleep(p.pause) // this is what it tests: a client that takes its time
	p.left--
	b[0] = '.'
	return 1, nil
}
