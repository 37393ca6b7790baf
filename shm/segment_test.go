package shm

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

var testIdentity = RequestIdentity{Layout: LayoutMax, PID: 7, Hash: LayoutHash(), Features: 9, Instance: 11}

func createRequest(tb testing.TB, id RequestIdentity) *RequestSegment {
	tb.Helper()
	s, err := CreateRequestSegment(fewSlots.requestGeometry(tb), id)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = s.Close() })
	return s
}

// duplicate returns another descriptor of file.
func duplicate(file *os.File) (int, error) { return unix.FcntlInt(file.Fd(), unix.F_DUPFD_CLOEXEC, 0) }

// again returns file once more, for an owner who closes it.
func again(tb testing.TB, file *os.File) *os.File {
	tb.Helper()
	fd, err := duplicate(file)
	if err != nil {
		tb.Fatal(err)
	}
	return os.NewFile(uintptr(fd), file.Name())
}

func TestAWorkerFindsInTheHeaderWhatTheServerMeant(t *testing.T) {
	server := createRequest(t, testIdentity)
	worker, id, err := OpenRequestSegment(again(t, server.File()))
	if err != nil {
		t.Fatal(err)
	}
	defer worker.Close()
	if id != testIdentity {
		t.Errorf("identity %+v, want %+v", id, testIdentity)
	}
	if worker.Geometry() != server.Geometry() {
		t.Errorf("geometry %+v, want %+v", worker.Geometry(), server.Geometry())
	}
	for _, state := range []ServerState{ServerRunning, ServerDraining, ServerStopped} {
		if state != ServerRunning {
			server.SetState(state)
		}
		if got := worker.State(); got != state {
			t.Errorf("state %d, want %d", got, state)
		}
	}
	if worker.File() != nil {
		t.Error("the worker keeps the file")
	}
}

func TestAHeaderThatIsNotOursIsRefused(t *testing.T) {
	change := func(f func(*RequestIdentity)) RequestIdentity {
		id := testIdentity
		f(&id)
		return id
	}
	for name, c := range map[string]struct {
		id       RequestIdentity
		scribble func(*RequestSegment)
		says     string
	}{
		"magic": {testIdentity, func(s *RequestSegment) { u64at(s.mem, hdrMagic).Store(1) },
			"not a request segment"},
		"older layout": {change(func(id *RequestIdentity) { id.Layout = LayoutMin - 1 }), nil,
			fmt.Sprintf("layout %d, this SDK speaks %d to %d", LayoutMin-1, LayoutMin, LayoutMax)},
		"newer layout": {change(func(id *RequestIdentity) { id.Layout = LayoutMax + 1 }), nil,
			fmt.Sprintf("layout %d, this SDK speaks %d to %d", LayoutMax+1, LayoutMin, LayoutMax)},
		"hash":   {change(func(id *RequestIdentity) { id.Hash++ }), nil, "do not agree"},
		"length": {testIdentity, func(s *RequestSegment) { u64at(s.mem, hdrBytes).Add(1) }, "its header says"},
		"rows":   {testIdentity, func(s *RequestSegment) { u32at(s.mem, hdrRows).Store(0) }, "rows 0"},
		"area":   {testIdentity, func(s *RequestSegment) { u64at(s.mem, hdrBuffersAt).Store(1 << 40) }, "area"},
		"ring":   {testIdentity, func(s *RequestSegment) { u32at(s.mem, hdrRing).Store(3) }, "rings 3"},
		"mailbox": {testIdentity, func(s *RequestSegment) { u32at(s.mem, hdrMailbox).Store(64) },
			"mailbox stride"},
		"slot size":     {testIdentity, func(s *RequestSegment) { u32at(s.mem, hdrSlotSize).Store(1) }, "slot size 1"},
		"nothing wrong": {testIdentity, nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			server := createRequest(t, c.id)
			if c.scribble != nil {
				c.scribble(server)
			}
			worker, _, err := OpenRequestSegment(again(t, server.File()))
			if c.says == "" {
				if err != nil {
					t.Fatal(err)
				}
				_ = worker.Close()
				return
			}
			if !errors.Is(err, ErrGeometry) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v, want it to say %q", err, c.says)
			}
		})
	}
}

func TestAFileThatIsNotSealedIsRefused(t *testing.T) {
	request, response := fewSlots.requestGeometry(t), fewSlots.responseGeometry(t)
	for _, seals := range []int{0, unix.F_SEAL_SHRINK, unix.F_SEAL_SHRINK | unix.F_SEAL_FUTURE_WRITE} {
		file := testMemfd(t, max(request.Len, response.Len), seals)
		if _, _, err := OpenRequestSegment(again(t, file)); !errors.Is(err, ErrGeometry) {
			t.Errorf("requests with seals %#x: %v", seals, err)
		}
		if _, err := OpenResponseSegment(response, again(t, file)); !errors.Is(err, ErrGeometry) {
			t.Errorf("responses with seals %#x: %v", seals, err)
		}
	}
}

func TestAFileThatIsTooShortIsRefused(t *testing.T) {
	response := fewSlots.responseGeometry(t)
	for _, bytes := range []uint64{0, 1, HeaderBytes - 1, HeaderBytes} {
		file := testMemfd(t, bytes, requestSeals)
		if _, _, err := OpenRequestSegment(again(t, file)); !errors.Is(err, ErrGeometry) {
			t.Errorf("requests in %d bytes: %v", bytes, err)
		}
		if _, err := OpenResponseSegment(response, again(t, file)); !errors.Is(err, ErrGeometry) {
			t.Errorf("responses in %d bytes: %v", bytes, err)
		}
	}
}

// testMemfd returns an empty file of this length with these seals.
func testMemfd(tb testing.TB, bytes uint64, seals int) *os.File {
	tb.Helper()
	fd, err := unix.MemfdCreate("test", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		tb.Fatal(err)
	}
	file := os.NewFile(uintptr(fd), "test")
	tb.Cleanup(func() { _ = file.Close() })
	if err := file.Truncate(int64(bytes)); err != nil {
		tb.Fatal(err)
	}
	if err := seal(file, seals); err != nil {
		tb.Fatal(err)
	}
	return file
}

func TestABudgetLargerThanMemoryIsRefused(t *testing.T) {
	c := example
	c.SlotSize, c.Bytes = MaxSlotSize, 1<<45
	request, err := PlanRequest(c)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := CreateRequestSegment(request, testIdentity); !errors.Is(err, ErrNoMemory) {
		t.Errorf("requests in %d bytes: %v", request.Len, err)
	}
	response, err := PlanResponse(c.SlotSize, c.SlotLimit, 16, c.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := CreateResponseSegment(response); !errors.Is(err, ErrNoMemory) {
		t.Errorf("responses in %d bytes: %v", response.Len, err)
	}
}

func TestAClosedSegmentLeavesNothingBehind(t *testing.T) {
	before := leftovers(t)
	request, err := CreateRequestSegment(fewSlots.requestGeometry(t), testIdentity)
	if err != nil {
		t.Fatal(err)
	}
	reopened, _, err := OpenRequestSegment(again(t, request.File()))
	if err != nil {
		t.Fatal(err)
	}
	g := fewSlots.responseGeometry(t)
	response, file, err := CreateResponseSegment(g)
	if err != nil {
		t.Fatal(err)
	}
	writable, err := OpenResponseSegment(g, file)
	if err != nil {
		t.Fatal(err)
	}
	if during := leftovers(t); len(during) != len(before)+6 { // four mappings, two files
		t.Errorf("while open: %q", during)
	}
	for _, s := range []interface{ Close() error }{request, reopened, response, writable} {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	if after := leftovers(t); !slices.Equal(before, after) {
		t.Errorf("before: %q, after: %q", before, after)
	}
}

// A worker that keeps the descriptor or the mapping of a link that is over keeps no
// memory of the server's by it.
func TestAClosedResponseSegmentHoldsNoMemoryWhoeverKeepsIt(t *testing.T) {
	g := fewSlots.responseGeometry(t)
	response, file, err := CreateResponseSegment(g)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	kept, err := OpenResponseSegment(g, again(t, file))
	if err != nil {
		t.Fatal(err)
	}
	defer kept.Close()
	kept.mem[len(kept.mem)-1] = 77
	if got := allocated(t, file); got < g.Len {
		t.Fatalf("an open segment of %d bytes has %d", g.Len, got)
	}
	if err := response.Close(); err != nil {
		t.Fatal(err)
	}
	if got := allocated(t, file); got != 0 {
		t.Errorf("a closed segment has %d bytes of memory", got)
	}
	if got := kept.mem[len(kept.mem)-1]; got != 0 {
		t.Errorf("its last byte is %d, want 0 of a new page", got)
	}
}

// allocated returns how many bytes of memory a file has.
func allocated(tb testing.TB, file *os.File) uint64 {
	tb.Helper()
	var stat unix.Stat_t
	if err := unix.Fstat(int(file.Fd()), &stat); err != nil {
		tb.Fatal(err)
	}
	return uint64(stat.Blocks) * 512
}

// leftovers returns the mappings and open files of this process that are
// segments.
func leftovers(tb testing.TB) []string {
	tb.Helper()
	text, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		tb.Fatal(err)
	}
	var found []string
	for line := range strings.Lines(string(text)) {
		if strings.Contains(line, "memfd:upload-response") {
			found = append(found, line)
		}
	}
	links, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		tb.Fatal(err)
	}
	for _, link := range links {
		if name, _ := os.Readlink("/proc/self/fd/" + link.Name()); strings.Contains(name, "memfd:upload-response") {
			found = append(found, name)
		}
	}
	return found
}
