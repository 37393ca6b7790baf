package shm

import (
	"encoding/binary"
	"testing"
)

// What the code writes stands where the table says, and means what it says: the
// words are set through the API and read back as bytes.
func TestTheCodeKeepsToTheTable(t *testing.T) {
	link := newHeapLinkWithBells(t, fewSlots, testBell(t), nil)
	structs, want := link.writeEveryWord(t)
	for _, f := range LayoutTable() {
		name := f.Struct + "." + f.Name
		value, known := want[name]
		if !known {
			t.Errorf("this test does not know %s", name)
			continue
		}
		var got uint64
		if mem := structs[f.Struct][f.Offset:]; f.Size == 8 {
			got = binary.LittleEndian.Uint64(mem)
		} else {
			got = uint64(binary.LittleEndian.Uint32(mem))
		}
		if got != value {
			t.Errorf("%s at %d is %d, the code wrote %d", name, f.Offset, got, value)
		}
	}
}

// writeEveryWord gives every word of a link a value of its own by the calls that
// are there for it. It returns where the structures that it wrote to start.
func (l *heapLink) writeEveryWord(t *testing.T) (structs map[string][]byte, want map[string]uint64) {
	g, r := l.request.Geometry(), l.response.Geometry()
	l.request.writeHeader(RequestIdentity{Layout: 1, PID: 1001, Hash: LayoutHash(), Features: 1003, Instance: 1004})
	l.request.SetState(ServerStopped)
	const lane, row, id = 1, 2, 77

	pool := NewPool(l.worker.Buffers())
	position, words, stream := l.server.Position(lane), l.worker.Lane(lane), l.request.Row(row)
	stream.Open(id)
	stream.Cancel(ReasonTooLarge)
	stream.WantRoomAt(1011)
	requests := l.request.NewWriter(row)
	requests.Open(NewPool(g.Buffers), 1)
	requestLane := &testLane{writer: requests}
	requestLane.putHeaders(t)
	requestLane.put(t, KindBody, []byte("x"))
	position.Open(id)
	l.server.SetState(LinkDraining)
	for range 3 {
		l.server.ring()
	}
	l.server.Inbox.Append(Assignment{StreamID: 70})
	entry := l.server.Inbox.Append(Assignment{StreamID: id, Row: row, Lane: lane, Time: 1010})
	if _, err := l.server.Inbox.Revoke(entry); err != nil {
		t.Fatal(err)
	}
	l.worker.Inbox.Take()
	for range 5 {
		l.server.Notify(lane)
	}
	for range 4 {
		l.worker.Sleep(AsleepStream|AsleepNotice, LinkOpen, nil)
	}
	for range 7 {
		l.server.Sleep()
	}
	for range 6 {
		l.worker.Notify(lane)
	}

	reader := l.worker.Reader(Assignment{StreamID: id, Row: row, Lane: lane})
	responses := l.worker.NewWriter(lane)
	responses.Open(pool, 1)
	words.Accept(id)
	words.LetGo(id - 1)
	words.WantRequest(true)
	words.WantRoomAt(1012)
	response := &testLane{writer: responses, reader: l.server.Reader(lane, id)}
	response.putHeaders(t)
	response.put(t, KindBody, make([]byte, 4096))
	response.put(t, KindBody, make([]byte, 200))
	before := Now()
	response.put(t, KindTrailers, make([]byte, 300))
	response.tail(t, 2)
	response.reader.Release(2)
	position.WantResponse(true)
	if _, err := reader.Tail(1); err != nil {
		t.Fatal(err)
	}
	reader.Release(1)

	mailbox := l.request.mem[g.MailboxesAt:]
	positions := uint32(MailboxBytes) + g.InboxEntries*InboxEntryBytes +
		uint32(roundUp(uint64(g.NoticeEntries)*NoticeBytes, lineBytes))
	structs = map[string][]byte{
		"header": l.request.mem, "mailbox": mailbox,
		"inbox_entry": mailbox[MailboxBytes+InboxEntryBytes:],
		"notice":      mailbox[MailboxBytes+g.InboxEntries*InboxEntryBytes:],
		"position":    mailbox[positions+lane*PositionBytes:],
		"row":         l.request.mem[g.RowsAt+row*RowBytes:],
		"link":        l.response.mem,
		"lane":        l.response.mem[r.LanesAt+lane*LaneBytes:],
		"descriptor":  l.response.mem[r.DescriptorsAt+(lane*uint64(r.Ring)+3)*DescriptorBytes:],
	}
	time := binary.LittleEndian.Uint64(structs["descriptor"][24:])
	if int64(time) < before || int64(time) > Now() {
		t.Errorf("descriptor.time is %d, the slot was committed at %d", time, before)
	}
	return structs, map[string]uint64{
		"header.magic": binary.LittleEndian.Uint64([]byte("URREQSEG")), "header.layout": 1, "header.server_pid": 1001,
		"header.layout_hash": LayoutHash(), "header.features": 1003, "header.instance": 1004,
		"header.segment_bytes": g.Len,
		"header.slot_size":     4096, "header.slot_limit": 5, "header.links": 2,
		"header.mailbox_stride": uint64(g.MailboxStride),
		"header.inbox_entries":  4, "header.notice_entries": 8, "header.rows": 3, "header.ring": 8, "header.buffers": 4,
		"header.mailboxes_offset": 4096, "header.rows_offset": g.RowsAt, "header.descriptors_offset": g.DescriptorsAt,
		"header.buffers_offset": g.BuffersAt, "header.state": 3,

		"mailbox.generation": 1, "mailbox.state": 2, "mailbox.lanes": 2, "mailbox.ring": 8,
		"mailbox.outbox_entries": uint64(r.OutboxEntries),
		"mailbox.buffers":        4, "mailbox.lanes_offset": r.LanesAt, "mailbox.descriptors_offset": r.DescriptorsAt,
		"mailbox.buffers_offset": r.BuffersAt, "mailbox.response_bytes": r.Len, "mailbox.bell": 3,
		"mailbox.inbox_head":  2,
		"mailbox.notice_head": 5, "mailbox.watcher_asleep": 7,

		"inbox_entry.stream_id": id, "inbox_entry.row": row, "inbox_entry.lane": lane, "inbox_entry.revoked": 1,
		"inbox_entry.time": 1010,
		"notice.lane":      lane, "position.stream_id": id, "position.released": 2, "position.wants_response": 1,
		"row.stream_id": id, "row.cancel": 6, "row.published": 2, "row.wants_room": 1011,

		"link.asleep": 4<<8 | 3, "link.taken": 1, "link.outbox_head": 6,
		"lane.stream_id": id, "lane.let_go": id - 1, "lane.published": 4, "lane.wants_room": 1012, "lane.released": 1,
		"lane.wants_request": 1,

		"descriptor.number": 4, "descriptor.buffer": 2, "descriptor.offset": 256, "descriptor.length": 300,
		"descriptor.kind": 3, "descriptor.time": time,
	}
}
