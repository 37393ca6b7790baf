package shm

// The memory layout, version 1. This file and docs/layout.md are its only two
// descriptions; `upload-response layout` prints the table below and tests hold
// the three together. All integers are little-endian and naturally aligned;
// offsets are in bytes. Words that different threads write stand on different
// 64-byte cache lines.
//
//	request segment (one per server; written by the server, sealed so that
//	workers can only map it read-only)
//
//	  +----------------+  0
//	  | header         |  4096 bytes
//	  +----------------+  mailboxes_offset
//	  | mailbox        |  one per link: geometry of its response segment,
//	  |  inbox ring    |  streams assigned to the link
//	  |  notice ring   |  lanes with news for the worker
//	  |  positions     |  how far the server has read each response lane
//	  |  ...           |  x links
//	  +----------------+  rows_offset
//	  | row            |  one per concurrent stream
//	  |  ...           |  x rows
//	  +----------------+  descriptors_offset
//	  | descriptor     |  a ring of `ring` descriptors per row
//	  |  ...           |  x rows x ring
//	  +----------------+  buffers_offset (page aligned)
//	  | buffer         |  slot_size bytes
//	  |  ...           |  x buffers
//	  +----------------+  segment_bytes
//
//	response segment (one per link; written by its worker, mapped read-only by
//	the server; its geometry stands in the link's mailbox, where the worker
//	cannot change it)
//
//	  +----------------+  0
//	  | link words     |  256 bytes
//	  |  outbox ring   |  lanes with news for the server
//	  +----------------+  lanes_offset
//	  | lane           |  one per stream that the link can hold
//	  |  ...           |  x lanes
//	  +----------------+  descriptors_offset
//	  | descriptor     |  a ring of `ring` descriptors per lane
//	  |  ...           |  x lanes x ring
//	  +----------------+  buffers_offset (page aligned)
//	  | buffer         |  slot_size bytes
//	  |  ...           |  x buffers
//	  +----------------+  response_bytes

// LayoutMin and LayoutMax are the range of layout versions that this package
// speaks.
const (
	LayoutMin = 1
	LayoutMax = 1
)

// RequestMagic is the first word of a request segment: "URREQSEG".
const RequestMagic uint64 = 0x4745535145525255

// Sizes of the fixed structures, in bytes.
const (
	HeaderBytes     = 4096
	MailboxBytes    = 256 // without its rings
	InboxEntryBytes = 32
	NoticeBytes     = 4
	PositionBytes   = 64
	RowBytes        = 128
	LinkBytes       = 256 // without its outbox ring
	LaneBytes       = 192
	DescriptorBytes = 32
	lineBytes       = 64
	pageBytes       = 4096
)

// Offsets in the header of the request segment. The server writes all of it
// before the first worker attaches; only state changes later.
const (
	hdrMagic       = 0
	hdrLayout      = 8
	hdrPID         = 12
	hdrHash        = 16
	hdrFeatures    = 24
	hdrInstance    = 32
	hdrBytes       = 40
	hdrSlotSize    = 48
	hdrSlotLimit   = 52
	hdrLinks       = 56
	hdrMailbox     = 60
	hdrInbox       = 64
	hdrNotices     = 68
	hdrRows        = 72
	hdrRing        = 76
	hdrBuffers     = 80
	hdrMailboxesAt = 88
	hdrRowsAt      = 96
	hdrDescsAt     = 104
	hdrBuffersAt   = 112
	hdrState       = 192
)

// Offsets in a mailbox (request segment, one per link, written by the server).
const (
	mbxGeneration    = 0
	mbxState         = 4
	mbxLanes         = 8
	mbxRing          = 12
	mbxOutbox        = 16
	mbxBuffers       = 20
	mbxLanesAt       = 24
	mbxDescsAt       = 32
	mbxBuffersAt     = 40
	mbxBytes         = 48
	mbxBell          = 64
	mbxInboxHead     = 128
	mbxNoticeHead    = 136
	mbxWatcherAsleep = 192
)

// Offsets in an inbox entry (request segment, written by the server).
const (
	inbStreamID = 0
	inbRow      = 8
	inbLane     = 12
	inbRevoked  = 16
	inbTime     = 24
)

// Offsets in a row of the stream table (request segment, written by the
// server). Each line has one writing goroutine.
const (
	rowStreamID  = 0
	rowCancel    = 8
	rowPublished = 64
	rowWantsRoom = 72
)

// Offsets in a position (request segment, one per lane of each link, written by
// the server): how far the server has read the response on that lane.
const (
	posStreamID      = 0
	posReleased      = 8
	posWantsResponse = 16
)

// Offsets in the link words (response segment, written by the worker).
const (
	lnkAsleep     = 0
	lnkTaken      = 64
	lnkOutboxHead = 128
)

// Offsets in a lane (response segment, written by the worker). Each line has
// one writing thread.
const (
	lanStreamID     = 0
	lanLetGo        = 8
	lanPublished    = 64
	lanWantsRoom    = 72
	lanReleased     = 128
	lanWantsRequest = 136
)

// Offsets in a descriptor (either segment, written by the lane's writer).
const (
	dscNumber = 0
	dscBuffer = 8
	dscOffset = 12
	dscLength = 16
	dscKind   = 20
	dscTime   = 24
)

// SlotAlign is the alignment of a slot's bytes within its buffer: a cache
// line, so that the reader of one slot and the writer of the next never share
// one.
const SlotAlign = 64

// AllReleased in the place of a count of released slots says that the reader is
// done with the lane: with every slot there is and every slot that may come.
const AllReleased = ^uint64(0)

// NoBuffer is the buffer index of a slot that has no bytes.
const NoBuffer uint32 = 0xffffffff

// Bounds on what may be configured; a peer's geometry beyond them is refused.
const (
	MinSlotSize = 4 << 10
	MaxSlotSize = 4 << 20
	MaxRing     = 1 << 20
	MaxRows     = 1 << 20
	MaxLanes    = 4096
	MaxLinks    = 4096
	MaxBuffers  = 1 << 24
)
