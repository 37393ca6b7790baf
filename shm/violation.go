package shm

import (
	"errors"
	"fmt"
)

// ErrNothingYet is returned when the peer has not published the slot yet.
var ErrNothingYet = errors.New("shm: nothing yet")

// ErrNoRoom is returned when a slot cannot be reserved now: the lane has its
// limit of outstanding slots, or the pool has no buffer to spare. It passes
// when the peer releases slots.
var ErrNoRoom = errors.New("shm: no room yet")

// ErrReleased is returned when a slot has been released already and its bytes
// may belong to another.
var ErrReleased = errors.New("shm: slot already released")

// Violation is returned when the peer broke the protocol: a number out of its
// bounds. The link has to be closed; nothing that the peer wrote can be trusted.
type Violation struct {
	What string // which number
	Got  uint64
	Max  uint64 // the largest (or only) value that would have been right

	// Owner is whose number it was, if the number is that of a reader which was bound
	// with its owner (see [Writer.BindLane]); else nil.
	Owner any
}

// Error says which number was wrong and what its bound was.
func (v *Violation) Error() string {
	return fmt.Sprintf("shm: peer violated the protocol: %s is %d, bound %d", v.What, v.Got, v.Max)
}
