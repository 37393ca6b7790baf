package shm

import (
	"os"
	"sync/atomic"

	"github.com/edsrzf/mmap-go"
	"golang.org/x/sys/unix"
)

// requestSeals let everybody but the server's existing mapping only read.
const requestSeals = unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_FUTURE_WRITE

// RequestSegment is the memory that the server writes: mailboxes, the stream
// table, request slots.
type RequestSegment struct {
	geometry RequestGeometry
	mem      mmap.MMap
	file     *os.File // nil in a worker
	rows     []Row
}

// RequestIdentity is what a request segment says about the server.
type RequestIdentity struct {
	Layout   uint32
	PID      uint32
	Hash     uint64
	Features uint64
	Instance uint64 // differs for every start of a server
}

// CreateRequestSegment makes the server's segment: reserved, mapped read-write,
// and then sealed, so that no other writable mapping of it can ever be made.
// It returns [ErrNoMemory] when the machine is short. Release:
// [RequestSegment.Close].
func CreateRequestSegment(g RequestGeometry, id RequestIdentity) (*RequestSegment, error) {
	file, err := newMemfd("upload-response requests", g.Len)
	if err != nil {
		return nil, err
	}
	mem, err := mapFile(file, g.Len, mmap.RDWR)
	if err != nil {
		_ = file.Close()
		return nil, err
	}
	s := newRequestSegment(g, mem)
	s.file = file
	s.writeHeader(id)
	if err := seal(file, requestSeals); err != nil {
		_ = s.Close()
		return nil, err
	}
	return s, nil
}

// OpenRequestSegment maps a server's segment, read-only. It takes over file and
// checks what the header says. Release: [RequestSegment.Close].
func OpenRequestSegment(file *os.File) (*RequestSegment, RequestIdentity, error) {
	defer file.Close()
	var id RequestIdentity
	bytes, err := fileBytes(file)
	if err != nil {
		return nil, id, err
	}
	if err := checkSeals(file, requestSeals); err != nil {
		return nil, id, err
	}
	if bytes < HeaderBytes {
		return nil, id, geometryError("a request segment of %d bytes", bytes)
	}
	mem, err := mapFile(file, bytes, mmap.RDONLY)
	if err != nil {
		return nil, id, err
	}
	g, id, err := readHeader(mem)
	if err == nil {
		err = g.Check(bytes)
	}
	if err != nil {
		_ = mem.Unmap()
		return nil, id, err
	}
	return newRequestSegment(g, mem), id, nil
}

func newRequestSegment(g RequestGeometry, mem []byte) *RequestSegment {
	s := &RequestSegment{geometry: g, mem: mem, rows: make([]Row, g.Rows)}
	for i := range s.rows {
		at := g.RowsAt + uint64(i)*RowBytes
		s.rows[i] = newRow(uint32(i), mem[at:at+RowBytes])
	}
	return s
}

// Geometry returns where everything is.
func (s *RequestSegment) Geometry() RequestGeometry { return s.geometry }

// File returns the segment's file, to be sent to workers. Server only.
func (s *RequestSegment) File() *os.File { return s.file }

// Row returns row i. Preconditions: i < Rows.
func (s *RequestSegment) Row(i uint32) *Row { return &s.rows[i] }

// State returns the state of the server.
func (s *RequestSegment) State() ServerState { return ServerState(s.state().Load()) }

// SetState sets the state of the server. Server only.
func (s *RequestSegment) SetState(state ServerState) { s.state().Store(uint32(state)) }

func (s *RequestSegment) state() *atomic.Uint32 { return u32at(s.mem, hdrState) }

// NewWriter returns the writer of row i's request lane, closed. Server only.
func (s *RequestSegment) NewWriter(i uint32) *Writer {
	return &Writer{ring: s.ring(i), buffers: s.buffers(), published: s.rows[i].published, limit: s.limit(),
		current: span{buffer: NoBuffer}}
}

// ring returns the descriptors of row i's request lane.
func (s *RequestSegment) ring(i uint32) descriptorRing {
	return newDescriptorRing(s.mem[s.geometry.DescriptorsAt+uint64(i)*uint64(s.geometry.Ring)*DescriptorBytes:],
		s.geometry.Ring)
}

func (s *RequestSegment) buffers() bufferArea {
	return newBufferArea(s.mem[s.geometry.BuffersAt:], s.geometry.SlotSize, s.geometry.Buffers)
}

// limit returns the most outstanding slots of a request lane.
func (s *RequestSegment) limit() uint64 { return uint64(min(s.geometry.SlotLimit, s.geometry.Ring)) }

// mailbox returns the memory of link i's mailbox.
func (s *RequestSegment) mailbox(i uint32) []byte {
	at := s.geometry.MailboxesAt + uint64(i)*uint64(s.geometry.MailboxStride)
	return s.mem[at : at+uint64(s.geometry.MailboxStride)]
}

// Close unmaps the segment. Preconditions: nothing that points into it is used
// any more.
func (s *RequestSegment) Close() error {
	if s.file != nil {
		_ = s.file.Close()
	}
	return s.mem.Unmap()
}

func (s *RequestSegment) writeHeader(id RequestIdentity) {
	g := s.geometry
	for at, v := range map[uint64]uint32{
		hdrLayout: id.Layout, hdrPID: id.PID, hdrSlotSize: g.SlotSize, hdrSlotLimit: g.SlotLimit,
		hdrLinks: g.Links, hdrMailbox: g.MailboxStride, hdrInbox: g.InboxEntries, hdrNotices: g.NoticeEntries,
		hdrRows: g.Rows, hdrRing: g.Ring, hdrBuffers: g.Buffers, hdrState: uint32(ServerRunning),
	} {
		u32at(s.mem, at).Store(v)
	}
	for at, v := range map[uint64]uint64{
		hdrMagic: RequestMagic, hdrHash: id.Hash, hdrFeatures: id.Features, hdrInstance: id.Instance, hdrBytes: g.Len,
		hdrMailboxesAt: g.MailboxesAt, hdrRowsAt: g.RowsAt, hdrDescsAt: g.DescriptorsAt, hdrBuffersAt: g.BuffersAt,
	} {
		u64at(s.mem, at).Store(v)
	}
}

// readHeader reads each word of the header once.
func readHeader(mem []byte) (RequestGeometry, RequestIdentity, error) {
	w32 := func(at uint64) uint32 { return u32at(mem, at).Load() }
	w64 := func(at uint64) uint64 { return u64at(mem, at).Load() }
	id := RequestIdentity{Layout: w32(hdrLayout), PID: w32(hdrPID), Hash: w64(hdrHash), Features: w64(hdrFeatures),
		Instance: w64(hdrInstance)}
	switch {
	case w64(hdrMagic) != RequestMagic:
		return RequestGeometry{}, id, geometryError("not a request segment: its first word is %#x", w64(hdrMagic))
	case id.Layout < LayoutMin || id.Layout > LayoutMax:
		return RequestGeometry{}, id, geometryError("layout %d, this SDK speaks %d to %d", id.Layout, LayoutMin,
			LayoutMax)
	case id.Hash != LayoutHash():
		return RequestGeometry{}, id,
			geometryError("layout hash %#x, this SDK has %#x: the two do not agree on the memory", id.Hash,
				LayoutHash())
	}
	return RequestGeometry{
		SlotSize: w32(hdrSlotSize), SlotLimit: w32(hdrSlotLimit), Links: w32(hdrLinks), MailboxStride: w32(hdrMailbox),
		InboxEntries: w32(hdrInbox), NoticeEntries: w32(hdrNotices), Rows: w32(hdrRows), Ring: w32(hdrRing),
		Buffers:     w32(hdrBuffers),
		MailboxesAt: w64(hdrMailboxesAt), RowsAt: w64(hdrRowsAt), DescriptorsAt: w64(hdrDescsAt),
		BuffersAt: w64(hdrBuffersAt), Len: w64(hdrBytes),
	}, id, nil
}
