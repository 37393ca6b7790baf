package shm

import (
	"errors"
	"os"

	"github.com/edsrzf/mmap-go"
	"golang.org/x/sys/unix"
)

// responseSeals keep the size: nobody can make us fault by truncating.
const responseSeals = unix.F_SEAL_SHRINK | unix.F_SEAL_GROW

// ResponseSegment is the memory that one link's worker writes.
type ResponseSegment struct {
	geometry ResponseGeometry
	mem      mmap.MMap
	lanes    []Lane
	own      *os.File // the server's descriptor, by which Close frees the memory; nil in a worker
}

// CreateResponseSegment makes a link's segment: reserved, sealed against
// resizing, mapped read-only here. The caller sends the file to the worker and
// closes it. It returns [ErrNoMemory] when the machine is short. Release:
// [ResponseSegment.Close].
func CreateResponseSegment(g ResponseGeometry) (_ *ResponseSegment, _ *os.File, err error) {
	file, err := newMemfd("upload-response responses", g.Len)
	if err != nil {
		return nil, nil, err
	}
	defer func() {
		if err != nil {
			_ = file.Close()
		}
	}()
	if err := seal(file, responseSeals); err != nil {
		return nil, nil, err
	}
	own, err := dupFile(file)
	if err != nil {
		return nil, nil, err
	}
	mem, err := mapFile(file, g.Len, mmap.RDONLY)
	if err != nil {
		_ = own.Close()
		return nil, nil, err
	}
	s := newResponseSegment(g, mem)
	s.own = own
	return s, file, nil
}

// OpenResponseSegment maps a link's segment, read-write, in its worker. It takes
// over file. Preconditions: g was checked. Release: [ResponseSegment.Close].
func OpenResponseSegment(g ResponseGeometry, file *os.File) (*ResponseSegment, error) {
	defer file.Close()
	bytes, err := fileBytes(file)
	if err != nil {
		return nil, err
	}
	if err := checkSeals(file, responseSeals); err != nil {
		return nil, err
	}
	if err := g.Check(bytes); err != nil {
		return nil, err
	}
	mem, err := mapFile(file, g.Len, mmap.RDWR)
	if err != nil {
		return nil, err
	}
	return newResponseSegment(g, mem), nil
}

func newResponseSegment(g ResponseGeometry, mem []byte) *ResponseSegment {
	s := &ResponseSegment{geometry: g, mem: mem, lanes: make([]Lane, g.Lanes)}
	for i := range s.lanes {
		at := g.LanesAt + uint64(i)*LaneBytes
		s.lanes[i] = newLane(mem[at : at+LaneBytes])
	}
	return s
}

// Geometry returns where everything is.
func (s *ResponseSegment) Geometry() ResponseGeometry { return s.geometry }

// Lane returns lane i. Preconditions: i < Lanes.
func (s *ResponseSegment) Lane(i uint32) *Lane { return &s.lanes[i] }

// NewWriter returns the writer of response lane i, closed. Worker only.
func (s *ResponseSegment) NewWriter(i uint32) *Writer {
	return &Writer{ring: s.ring(i), buffers: s.buffers(), published: s.lanes[i].published, limit: s.limit(),
		current: span{buffer: NoBuffer}}
}

// ring returns the descriptors of response lane i.
func (s *ResponseSegment) ring(i uint32) descriptorRing {
	return newDescriptorRing(s.mem[s.geometry.DescriptorsAt+uint64(i)*uint64(s.geometry.Ring)*DescriptorBytes:],
		s.geometry.Ring)
}

func (s *ResponseSegment) buffers() bufferArea {
	return newBufferArea(s.mem[s.geometry.BuffersAt:], s.geometry.SlotSize, s.geometry.Buffers)
}

// limit returns the most outstanding slots of a response lane.
func (s *ResponseSegment) limit() uint64 { return uint64(min(s.geometry.SlotLimit, s.geometry.Ring)) }

// Close unmaps the segment. In the server it also gives all of its memory back to
// the machine, whoever still maps it or has a descriptor: a worker that keeps those
// finds zeros, and what it touches again is memory of its own (its control group
// pays). Preconditions: nothing that points into it is used any more.
func (s *ResponseSegment) Close() error {
	err := s.mem.Unmap()
	if s.own == nil {
		return err
	}
	err = errors.Join(err, punch(s.own, s.geometry.Len), s.own.Close())
	s.own = nil
	return err
}
