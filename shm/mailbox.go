package shm

import "sync/atomic"

// mailbox is what the server says to one link, in the request segment.
type mailbox struct {
	mem           []byte
	generation    *atomic.Uint32
	state         *atomic.Uint32
	bell          *atomic.Uint32
	inboxHead     *atomic.Uint64
	noticeHead    *atomic.Uint64
	watcherAsleep *atomic.Uint64
}

func newMailbox(mem []byte) mailbox {
	return mailbox{
		mem: mem, generation: u32at(mem, mbxGeneration), state: u32at(mem, mbxState), bell: u32at(mem, mbxBell),
		inboxHead: u64at(mem, mbxInboxHead), noticeHead: u64at(mem, mbxNoticeHead),
		watcherAsleep: u64at(mem, mbxWatcherAsleep),
	}
}

// reset readies the mailbox for a new attach. The worker hears of it by the
// welcome message, which comes later.
func (m *mailbox) reset(generation uint32, g ResponseGeometry) {
	m.generation.Store(generation)
	m.inboxHead.Store(0)
	m.noticeHead.Store(0)
	m.watcherAsleep.Store(0)
	u32at(m.mem, mbxLanes).Store(g.Lanes)
	u32at(m.mem, mbxRing).Store(g.Ring)
	u32at(m.mem, mbxOutbox).Store(g.OutboxEntries)
	u32at(m.mem, mbxBuffers).Store(g.Buffers)
	u64at(m.mem, mbxLanesAt).Store(g.LanesAt)
	u64at(m.mem, mbxDescsAt).Store(g.DescriptorsAt)
	u64at(m.mem, mbxBuffersAt).Store(g.BuffersAt)
	u64at(m.mem, mbxBytes).Store(g.Len)
	m.state.Store(uint32(LinkOpen))
}

// responseGeometry returns where everything is in the link's response segment.
func (m *mailbox) responseGeometry(slotSize, slotLimit uint32) ResponseGeometry {
	return ResponseGeometry{
		SlotSize: slotSize, SlotLimit: slotLimit,
		Lanes: u32at(m.mem, mbxLanes).Load(), Ring: u32at(m.mem, mbxRing).Load(),
		OutboxEntries: u32at(m.mem, mbxOutbox).Load(), Buffers: u32at(m.mem, mbxBuffers).Load(),
		LanesAt: u64at(m.mem, mbxLanesAt).Load(), DescriptorsAt: u64at(m.mem, mbxDescsAt).Load(),
		BuffersAt: u64at(m.mem, mbxBuffersAt).Load(), Len: u64at(m.mem, mbxBytes).Load(),
	}
}

// inboxMem and noticeMem return the memory of the mailbox's two rings, and what
// follows it.
func (m *mailbox) inboxMem() []byte { return m.mem[MailboxBytes:] }

func (m *mailbox) noticeMem(g *RequestGeometry) []byte {
	return m.mem[MailboxBytes+uint64(g.InboxEntries)*InboxEntryBytes:]
}

// positions returns the positions of the link's first n lanes.
func (m *mailbox) positions(g *RequestGeometry, n uint32) []Position {
	at := g.positionsAt()
	list := make([]Position, n)
	for i := range list {
		list[i] = newPosition(m.mem[at+uint64(i)*PositionBytes:])
	}
	return list
}
