package shm

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// rings returns how often the bell was rung since it was last asked, without
// waiting.
func rings(tb testing.TB, bell *Eventfd) uint64 {
	tb.Helper()
	var count [8]byte
	switch _, err := unix.Read(bell.FD(), count[:]); err {
	case nil:
		return binary.LittleEndian.Uint64(count[:])
	case unix.EAGAIN:
		return 0
	default:
		tb.Fatal(err)
		return 0
	}
}

// nothing is the announcement of a sleeper that finds no news.
func nothing() bool { return true }

func TestARingAfterTheAnnouncementIsHeard(t *testing.T) {
	bell := testBell(t)
	if err := bell.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	for range 100 { // also when the bell has rung before and nobody has read it
		err := bell.Wait(func() bool {
			bell.Ring()
			return true
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestASleeperThatFindsNewsDoesNotWait(t *testing.T) {
	bell := testBell(t)
	if err := bell.Wait(func() bool { return false }); err != nil {
		t.Error(err)
	}
}

func TestARingOfAnotherThreadWakesWhoeverWaits(t *testing.T) {
	bell := testBell(t)
	if err := bell.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	announced := make(chan struct{})
	go func() {
		for range announced {
			bell.Ring()
		}
	}()
	defer close(announced)
	for range 200 {
		err := bell.Wait(func() bool {
			announced <- struct{}{}
			return true
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestAWaitEndsAtItsDeadline(t *testing.T) {
	bell := testBell(t)
	if err := bell.SetDeadline(time.Now().Add(time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := bell.Wait(nothing); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("Wait: %v, want the deadline", err)
		}
	}
}

func TestABellThatIsFullDoesNotBlockItsRinger(t *testing.T) {
	bell := testBell(t)
	const full = 1<<64 - 2
	if _, err := unix.Write(bell.FD(), binary.LittleEndian.AppendUint64(nil, full)); err != nil {
		t.Fatal(err)
	}
	bell.Ring()
}

func TestClosingABellWakesItsWaiter(t *testing.T) {
	bell, err := NewEventfd()
	if err != nil {
		t.Fatal(err)
	}
	asleep, result := make(chan struct{}), make(chan error)
	go func() {
		result <- bell.Wait(func() bool {
			close(asleep)
			return true
		})
	}()
	<-asleep
	if err := bell.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-result; !errors.Is(err, os.ErrClosed) {
		t.Errorf("Wait: %v, want os.ErrClosed", err)
	}
}

func TestABellOfAnotherProcessIsHeardEveryTime(t *testing.T) {
	ringer, waiter := testPeerBell(t)
	if err := waiter.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	for range 100 { // nobody ever takes the event out of the guard
		err := waiter.Wait(func() bool {
			ringer.Ring()
			return true
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// A worker with a level-triggered poller takes the ring out of the guard.
func TestABellOfAnotherProcessIsQuietOnceItsRingIsTaken(t *testing.T) {
	ringer, waiter := testPeerBell(t)
	readable := func() bool {
		list := []unix.PollFd{{Fd: int32(waiter.FD()), Events: unix.POLLIN}}
		if _, err := unix.Poll(list, 0); err != nil {
			t.Fatal(err)
		}
		return list[0].Revents&unix.POLLIN != 0
	}
	for range 3 {
		if readable() {
			t.Fatal("readable although nobody rang")
		}
		ringer.Ring()
		ringer.Ring()
		if !readable() {
			t.Fatal("not readable although it was rung")
		}
		var events [1]unix.EpollEvent
		if n, err := unix.EpollWait(waiter.FD(), events[:], 0); n != 1 || err != nil {
			t.Fatalf("took %d events (%v), want one", n, err)
		}
	}
}

// Whoever has the eventfd itself can fill it up and make the next ring wait forever. What
// a worker gets does not let it.
func TestAWorkerCannotMakeARingHang(t *testing.T) {
	ringer, waiter := testPeerBell(t)
	fd := waiter.FD()
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_SETFL, flags&^unix.O_NONBLOCK); err != nil {
		t.Fatal(err)
	}
	if n, err := unix.Write(fd, binary.LittleEndian.AppendUint64(nil, 1<<64-2)); err == nil {
		t.Errorf("a worker has written %d bytes to its bell", n)
	}
	if again, err := os.OpenFile(fmt.Sprintf("/proc/self/fd/%d", fd), os.O_RDWR, 0); err == nil {
		_ = again.Close()
		t.Error("a worker has opened its bell again")
	}
	own, err := unix.FcntlInt(uintptr(ringer.fd), unix.F_GETFL, 0)
	if err != nil {
		t.Fatal(err)
	}
	if own&unix.O_NONBLOCK == 0 {
		t.Error("a worker has made the server's own descriptor block")
	}
	ringer.Ring()
}

func TestABellThatHasRestedIsHeardAgain(t *testing.T) {
	bell := testBell(t)
	for range 20 {
		if err := bell.Rest(time.Microsecond); err != nil {
			t.Fatal(err)
		}
		err := bell.Wait(func() bool {
			bell.Ring()
			return true
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestClosingABellEndsItsRest(t *testing.T) {
	before := openEventfds(t)
	bell, err := NewEventfd()
	if err != nil {
		t.Fatal(err)
	}
	result := make(chan error)
	go func() { result <- bell.Rest(time.Hour) }()
	for bellRests := false; !bellRests; runtime.Gosched() {
		bell.mu.Lock()
		bellRests = bell.file == nil
		bell.mu.Unlock()
	}
	if err := bell.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-result; !errors.Is(err, os.ErrClosed) {
		t.Errorf("Rest: %v, want os.ErrClosed", err)
	}
	if err := bell.Rest(time.Hour); !errors.Is(err, os.ErrClosed) {
		t.Errorf("Rest of a closed bell: %v, want os.ErrClosed", err)
	}
	if err := bell.Close(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("a second Close: %v, want os.ErrClosed", err)
	}
	if after := openEventfds(t); after != before {
		t.Errorf("%d eventfds before, %d after", before, after)
	}
}

func openEventfds(tb testing.TB) (n int) {
	tb.Helper()
	links, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		tb.Fatal(err)
	}
	for _, link := range links {
		if name, _ := os.Readlink("/proc/self/fd/" + link.Name()); strings.Contains(name, "[eventfd]") {
			n++
		}
	}
	return n
}

func TestAnEventfdOfAnotherProcessWorksAlthoughItBlocks(t *testing.T) {
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	bell, err := OpenEventfd(fd)
	if err != nil {
		t.Fatal(err)
	}
	defer bell.Close()
	if err := bell.SetDeadline(time.Now().Add(time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if err := bell.Wait(nothing); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("Wait: %v, want the deadline", err)
	}
}

func TestAFutexDoesNotSleepOverARing(t *testing.T) {
	l := newHeapLink(t, fewSlots)
	count := l.worker.Bell()
	l.worker.Sleep(AsleepNotice, LinkOpen, nil)
	l.server.Notify(0)
	if err := l.worker.WaitBell(count, time.Minute); err != nil {
		t.Error(err)
	}
}

func TestAFutexSleepsNoLongerThanItMay(t *testing.T) {
	l := newHeapLink(t, fewSlots)
	for err := error(nil); !errors.Is(err, os.ErrDeadlineExceeded); {
		if err = l.worker.WaitBell(l.worker.Bell(), time.Millisecond); err != nil &&
			!errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatal(err)
		}
	}
}

func TestAFutexIsWokenByARing(t *testing.T) {
	l := newHeapLink(t, fewSlots)
	const rounds = 200
	heard := make(chan struct{})
	go func() {
		defer close(heard)
		for seen := uint32(0); seen < rounds; seen = l.worker.Bell() {
			if err := l.worker.WaitBell(seen, time.Minute); err != nil {
				t.Error(err)
				return
			}
		}
	}()
	for range rounds {
		l.server.ring()
	}
	<-heard
}
