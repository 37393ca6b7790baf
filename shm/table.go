package shm

import (
	"fmt"
	"hash/fnv"
	"io"
)

// FieldInfo is one row of the layout table: a named word of shared memory.
type FieldInfo struct {
	Struct  string // the structure that has it
	Name    string
	Offset  int    // bytes from the start of the structure
	Size    int    // bytes
	Writer  string // the one process that writes it
	Meaning string // what it holds, with its unit
}

// StructInfo is a structure of the layout and its size in bytes.
type StructInfo struct {
	Name  string
	Bytes int
}

// LayoutStructs returns the structures of the layout, in the order in which
// they stand in memory.
func LayoutStructs() []StructInfo {
	return []StructInfo{
		{"header", HeaderBytes}, {"mailbox", MailboxBytes}, {"inbox_entry", InboxEntryBytes},
		{"notice", NoticeBytes}, {"position", PositionBytes}, {"row", RowBytes}, {"link", LinkBytes},
		{"lane", LaneBytes},
		{"descriptor", DescriptorBytes},
	}
}

// LayoutTable returns every word of the layout.
func LayoutTable() []FieldInfo {
	const s, w, e = "server", "worker", "lane's writer"
	return []FieldInfo{
		{"header", "magic", hdrMagic, 8, s, "URREQSEG, ASCII"},
		{"header", "layout", hdrLayout, 4, s, "layout version of this segment"},
		{"header", "server_pid", hdrPID, 4, s, "process id in the server's namespace"},
		{"header", "layout_hash", hdrHash, 8, s, "FNV-1a 64 over names, offsets and sizes"},
		{"header", "features", hdrFeatures, 8, s, "feature bits in use"},
		{"header", "instance", hdrInstance, 8, s, "differs for every start of a server"},
		{"header", "segment_bytes", hdrBytes, 8, s, "length of the segment, bytes"},
		{"header", "slot_size", hdrSlotSize, 4, s, "bytes in a buffer, and the most in a slot"},
		{"header", "slot_limit", hdrSlotLimit, 4, s, "most outstanding slots of one lane"},
		{"header", "links", hdrLinks, 4, s, "number of mailboxes"},
		{"header", "mailbox_stride", hdrMailbox, 4, s, "bytes from one mailbox to the next"},
		{"header", "inbox_entries", hdrInbox, 4, s, "entries in an inbox ring, a power of two"},
		{"header", "notice_entries", hdrNotices, 4, s, "entries in a notice ring, a power of two"},
		{"header", "rows", hdrRows, 4, s, "number of rows"},
		{"header", "ring", hdrRing, 4, s, "descriptors per request lane, a power of two"},
		{"header", "buffers", hdrBuffers, 4, s, "number of request buffers"},
		{"header", "mailboxes_offset", hdrMailboxesAt, 8, s, "bytes from the start of the segment"},
		{"header", "rows_offset", hdrRowsAt, 8, s, "bytes from the start of the segment"},
		{"header", "descriptors_offset", hdrDescsAt, 8, s, "bytes from the start of the segment"},
		{"header", "buffers_offset", hdrBuffersAt, 8, s, "bytes from the start of the segment"},
		{"header", "state", hdrState, 4, s, "1 running, 2 draining, 3 stopped"},

		{"mailbox", "generation", mbxGeneration, 4, s, "which attach this mailbox serves"},
		{"mailbox", "state", mbxState, 4, s, "0 closed, 1 open, 2 draining"},
		{"mailbox", "lanes", mbxLanes, 4, s, "lanes in the response segment"},
		{"mailbox", "ring", mbxRing, 4, s, "descriptors per response lane, a power of two"},
		{"mailbox", "outbox_entries", mbxOutbox, 4, s, "entries in the outbox ring, a power of two"},
		{"mailbox", "buffers", mbxBuffers, 4, s, "number of response buffers"},
		{"mailbox", "lanes_offset", mbxLanesAt, 8, s, "bytes from the start of the response segment"},
		{"mailbox", "descriptors_offset", mbxDescsAt, 8, s, "bytes from the start of the response segment"},
		{"mailbox", "buffers_offset", mbxBuffersAt, 8, s, "bytes from the start of the response segment"},
		{"mailbox", "response_bytes", mbxBytes, 8, s, "length of the response segment, bytes"},
		{"mailbox", "bell", mbxBell, 4, s, "futex word, counts rings"},
		{"mailbox", "inbox_head", mbxInboxHead, 8, s, "inbox entries written since the attach (E1)"},
		{"mailbox", "notice_head", mbxNoticeHead, 8, s, "notices written since the attach (H1)"},
		{"mailbox", "watcher_asleep", mbxWatcherAsleep, 8, s, "0: awake; else differs for every sleep (S1)"},

		{"inbox_entry", "stream_id", inbStreamID, 8, s, "never reused"},
		{"inbox_entry", "row", inbRow, 4, s, "index of the row"},
		{"inbox_entry", "lane", inbLane, 4, s, "index of the lane"},
		{"inbox_entry", "revoked", inbRevoked, 4, s, "1: taken back, do not serve (G1)"},
		{"inbox_entry", "time", inbTime, 8, s, "CLOCK_MONOTONIC of the assignment, ns"},

		{"notice", "lane", 0, 4, s + " or worker", "index of a lane with news"},

		{"position", "stream_id", posStreamID, 8, s, "stream whose response this counts"},
		{"position", "released", posReleased, 8, s, "response slots the server is done with, 2^64-1: all (D1)"},
		{"position", "wants_response", posWantsResponse, 4, s, "1: tell the server of published response slots"},

		{"row", "stream_id", rowStreamID, 8, s, "0: free; the generation of the row"},
		{"row", "cancel", rowCancel, 4, s, "reason of the cancellation, 0: none (L1)"},
		{"row", "published", rowPublished, 8, s, "request slots published (A1)"},
		{"row", "wants_room", rowWantsRoom, 8, s, "tell the server when this request slot is released, 0: no"},

		{"link", "asleep", lnkAsleep, 8, w, "0: awake; else sleep count << 8 | reasons to ring (S1)"},
		{"link", "taken", lnkTaken, 8, w, "inbox entries taken since the attach (F1)"},
		{"link", "outbox_head", lnkOutboxHead, 8, w, "notices written since the attach (I1)"},

		{"lane", "stream_id", lanStreamID, 8, w, "stream that it serves (J1)"},
		{"lane", "let_go", lanLetGo, 8, w, "last stream that it let go of (K1)"},
		{"lane", "published", lanPublished, 8, w, "response slots published (C1)"},
		{"lane", "wants_room", lanWantsRoom, 8, w, "tell the worker when this response slot is released, 0: no"},
		{"lane", "released", lanReleased, 8, w, "request slots the worker is done with, 2^64-1: all (B1)"},
		{"lane", "wants_request", lanWantsRequest, 4, w, "1: tell the worker of published request slots"},

		{"descriptor", "number", dscNumber, 8, e, "slot number, the first is 1"},
		{"descriptor", "buffer", dscBuffer, 4, e, "index of the buffer, 0xffffffff: no bytes"},
		{"descriptor", "offset", dscOffset, 4, e, "bytes from the start of the buffer, a multiple of 64"},
		{"descriptor", "length", dscLength, 4, e, "bytes"},
		{"descriptor", "kind", dscKind, 4, e, kindBits},
		{"descriptor", "time", dscTime, 8, e, "CLOCK_MONOTONIC of the commit, ns"},
	}
}

// WriteLayoutTable writes the layout as text, one structure or word a line.
// The text is stable within a layout version.
func WriteLayoutTable(w io.Writer) error {
	for _, st := range LayoutStructs() {
		if _, err := fmt.Fprintf(w, "%-12s %-20s %6s %5d  %-13s %s\n", st.Name, "", "", st.Bytes, "",
			"structure"); err != nil {
			return err
		}
		for _, f := range LayoutTable() {
			if f.Struct != st.Name {
				continue
			}
			if _, err := fmt.Fprintf(w, "%-12s %-20s %6d %5d  %-13s %s\n", f.Struct, f.Name, f.Offset, f.Size, f.Writer,
				f.Meaning); err != nil {
				return err
			}
		}
	}
	return nil
}

// layoutHash is computed once: the table does not change while we run.
var layoutHash = computeLayoutHash()

// LayoutHash returns the FNV-1a 64-bit hash over "struct.name offset size\n"
// of every word and "struct size\n" of every structure, in table order. Two
// programs whose hashes differ do not agree on the memory.
func LayoutHash() uint64 { return layoutHash }

func computeLayoutHash() uint64 {
	h := fnv.New64a()
	for _, st := range LayoutStructs() {
		fmt.Fprintf(h, "%s %d\n", st.Name, st.Bytes)
		for _, f := range LayoutTable() {
			if f.Struct == st.Name {
				fmt.Fprintf(h, "%s.%s %d %d\n", f.Struct, f.Name, f.Offset, f.Size)
			}
		}
	}
	return h.Sum64()
}

// kindBits says how the kind of a slot is written.
const kindBits = "bits 0-7: 1 headers, 2 body, 3 trailers, 4 end, 5 abort, 6 interim, 7 text, 8 binary, 9 close; " +
	"bit 8: final"
