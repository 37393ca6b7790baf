package dispatch

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"golang.org/x/time/rate"

	"github.com/wavey-ai/upload-response/proto/attach"
)

// peer returns the process with a number, of a user.
func peer(pid int, uid uint32) process { return process{pid: pid, uid: uid} }

func TestConnectionsAreCountedInAllAndOfEachUserAndProcess(t *testing.T) {
	c := peerCount{most: 5, mostOfUser: 3, mostOfProcess: 2}
	var in []process
	for _, step := range []struct {
		peer process
		want bool
	}{
		{peer(1, 100), true}, {peer(1, 100), true}, {peer(1, 100), false},
		{peer(2, 100), true}, {peer(2, 100), false},
		{peer(3, 101), true}, {peer(4, 102), true}, {peer(5, 103), false},
	} {
		err := c.enter(step.peer)
		if (err == nil) != step.want {
			t.Errorf("%+v: %v, want room: %v", step.peer, err, step.want)
		}
		var refusal *attach.Refusal
		if err != nil && (!errors.As(err, &refusal) || refusal.Code != attach.CodeFull) {
			t.Errorf("%+v: %v: not a refusal after which one tries again", step.peer, err)
		}
		if err == nil {
			in = append(in, step.peer)
		}
	}
	for _, p := range in {
		c.leave(p)
	}
	if c.all != 0 || len(c.users)+len(c.processes) != 0 {
		t.Errorf("after all have left: %d, %v, %v", c.all, c.users, c.processes)
	}
}

func TestWhoAttachesOftenWaitsAndOthersDoNot(t *testing.T) {
	p := pace[int]{limit: rate.Every(time.Hour), burst: 3}
	soon, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for i := range 3 {
		if err := p.wait(soon, 1); err != nil {
			t.Fatalf("attach %d of a burst: %v", i, err)
		}
	}
	if p.wait(soon, 1) == nil {
		t.Error("the fourth has not to wait for an hour")
	}
	if err := p.wait(soon, 2); err != nil {
		t.Errorf("another process: %v", err)
	}
}

func TestPacesOfProcessesThatAttachNoMoreAreForgotten(t *testing.T) {
	p := pace[int]{limit: rate.Every(time.Nanosecond), burst: 1}
	for key := range 3 * mostPaces {
		if err := p.wait(context.Background(), key); err != nil {
			t.Fatal(err)
		}
	}
	if len(p.list) > mostPaces {
		t.Errorf("%d paces, want at most %d", len(p.list), mostPaces)
	}
	slow := pace[int]{limit: rate.Every(time.Hour), burst: 1}
	for key := range mostPaces {
		_ = slow.wait(context.Background(), key)
	}
	if slow.wait(context.Background(), -1) == nil {
		t.Error("there is room for one more although none has had its hour")
	}
}

func TestALogOfRefusalsSaysHowManyItLeftOut(t *testing.T) {
	var text bytes.Buffer
	l := limitedLog{log: slog.New(slog.NewTextHandler(&text, nil)), limiter: rate.NewLimiter(0, 2)}
	for range 10 {
		l.warn("refused", "error", "why")
	}
	l.limiter = rate.NewLimiter(0, 1)
	l.warn("refused", "error", "why")
	lines := strings.Split(strings.TrimSpace(text.String()), "\n")
	if len(lines) != 3 || !strings.HasSuffix(lines[2], "error=why left_out=8") ||
		strings.Contains(lines[1], "left_out") {
		t.Errorf("%q", lines)
	}
}

// links takes links for a holder until it is refused one, and returns how many it got.
func (r *ResponseChunkCache) links(t *testing.T, h holder) (n int) {
	t.Helper()
	for ; n < 1000; n++ {
		if _, err := r.reserve(h); err != nil {
			return n
		}
	}
	t.Fatalf("%+v gets any number", h)
	return n
}

func TestOneProcessMayHaveEveryLinkThatNobodyElseNeeds(t *testing.T) {
	c := testConfig() // memory for 16
	r := newResponseChunkCache(&c)
	if n := r.links(t, holder{"default", 1000, 7, false}); n != 16 {
		t.Errorf("a process with a link for each of its threads has %d of 16", n)
	}
}

func TestOnePoolCannotTakeTheLastLinksOfOthers(t *testing.T) {
	c := testConfig()
	c.Pools = []string{"a", "b", "c", "a"}
	r := newResponseChunkCache(&c)
	if n := r.links(t, holder{"a", 1000, 7, false}); n != 14 {
		t.Errorf("one pool has %d links of 16, want 14: two pools have none", n)
	}
	for _, pool := range []string{"b", "c"} {
		if n := r.links(t, holder{pool, 1000, 8, false}); n != 1 {
			t.Errorf("pool %s has %d links, want the one that was kept for it", pool, n)
		}
	}
	for range 14 {
		r.giveBack(0, holder{"a", 1000, 7, false})
	}
	if n := r.links(t, holder{"b", 1000, 8, false}); n != 13 {
		t.Errorf("pool b has %d more, want 13 of the 14 that came back: pool a has none", n)
	}
}

func TestLinksOfAUserAndAPoolAreBoundedIfOneSaysSo(t *testing.T) {
	c := testConfig()
	c.LinksPerProcess, c.LinksPerUser, c.LinksPerPool = 3, 5, 7
	r := newResponseChunkCache(&c)
	for _, step := range []struct {
		holder holder
		want   int
	}{
		{holder{"a", 1000, 1, false}, 3}, {holder{"a", 1000, 2, false}, 2},
		{holder{"a", 1001, 3, false}, 2}, {holder{"b", 1001, 3, false}, 1},
	} {
		if n := r.links(t, step.holder); n != step.want {
			t.Errorf("%+v: %d links, want %d", step.holder, n, step.want)
		}
	}
}

func TestLinksAreKeptForWorkersThatTheServerStarts(t *testing.T) {
	c := testConfig()
	c.Pools, c.Supervised, c.StartedWorkers = []string{"a", "b"}, []string{"a"}, 3
	r := newResponseChunkCache(&c)
	first, second, third := holder{"a", 0, 20, true}, holder{"a", 0, 21, true}, holder{"a", 0, 22, true}
	if _, err := r.reserve(first); err != nil {
		t.Fatal(err)
	}
	if n := r.links(t, holder{"b", 1000, 1, false}); n != 13 {
		t.Errorf("others have %d of 15 links, want 13: two of three workers have none", n)
	}
	for _, step := range []struct {
		holder holder
		want   int
	}{{first, 0}, {second, 1}, {third, 1}} {
		if n := r.links(t, step.holder); n != step.want {
			t.Errorf("worker %d has %d more, want %d", step.holder.process, n, step.want)
		}
	}
}

func TestPoolsAreOpenToTheUsersThatAreNamedForThem(t *testing.T) {
	c := Config{
		AllowUIDs: []uint32{901}, AllowGIDs: []uint32{902},
		PoolUIDs: []PoolID{{"a", 903}, {"b", 904}}, PoolGIDs: []PoolID{{"b", 905}},
	}
	for _, step := range []struct {
		peer          process
		connect, a, b bool
	}{
		{process{pid: 1, uid: uint32(os.Geteuid()), gid: 9}, true, true, true},
		{process{pid: 1, uid: 901, gid: 9}, true, true, true},
		{process{pid: 1, uid: 9, gid: 902}, true, true, true},
		{process{pid: 1, uid: 903, gid: 9}, true, true, false},
		{process{pid: 1, uid: 904, gid: 9}, true, false, true},
		{process{pid: 1, uid: 9, gid: 905}, true, false, true},
		{process{pid: 1, uid: 905, gid: 903}, false, false, false},
	} {
		for what, got := range map[string]error{
			"connect": c.mayConnect(step.peer),
			"serve a": c.mayServe(step.peer, "a"), "serve b": c.mayServe(step.peer, "b"),
		} {
			want := map[string]bool{"connect": step.connect, "serve a": step.a, "serve b": step.b}[what]
			if (got == nil) != want {
				t.Errorf("%+v may %s: %v, want %v", step.peer, what, got, want)
			}
		}
	}
}

func TestAFailureToAcceptDoesNotEndTheService(t *testing.T) {
	logged, log := pipe(t)
	c := testConfig()
	c.Log = slog.New(slog.NewTextHandler(log, nil))
	d, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	listener := deaf(t)
	served := make(chan error, 1)
	go func() { served <- d.ServeWorkers(listener) }()
	_ = logged.SetReadDeadline(time.Now().Add(20 * time.Second))
	line := make([]byte, 1000)
	n, err := logged.Read(line)
	if err != nil || !strings.Contains(string(line[:n]), "cannot accept workers") {
		t.Fatalf("logged %q, %v", line[:n], err)
	}
	_ = listener.Close()
	if err := <-served; err != nil {
		t.Errorf("ServeWorkers returned %v after the listener was closed", err)
	}
}

// deaf returns a socket that does not listen: to accept from it is an invalid argument.
func deaf(t *testing.T) *net.UnixListener {
	t.Helper()
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	file := os.NewFile(uintptr(fd), "deaf")
	defer file.Close()
	listener, err := net.FileListener(file)
	if err != nil {
		t.Fatal(err)
	}
	return listener.(*net.UnixListener)
}

// pipe returns the two ends of a pipe.
func pipe(t *testing.T) (r, w *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = r.Close(), w.Close() })
	return r, w
}
