package shm

import "testing"

// countRings makes the server's end count its rings instead.
func (l *heapLink) countRings() *int {
	rings := new(int)
	l.server.ring = func() { *rings++ }
	return rings
}

func TestAWorkerIsRungOnlyForWhatItSleepsFor(t *testing.T) {
	events := map[string]func(*heapLink){
		"stream":       func(l *heapLink) { l.server.Inbox.Append(Assignment{StreamID: 1}); l.server.Offered() },
		"notice":       func(l *heapLink) { l.server.Notify(0) },
		"cancellation": func(l *heapLink) { l.server.Alert(0) },
		"drain":        func(l *heapLink) { l.server.SetState(LinkDraining) },
		"close":        func(l *heapLink) { l.server.SetState(LinkClosed) },
	}
	everyone := []string{"cancellation", "drain", "close"}
	sets := map[Asleep][]string{
		AsleepStream:                append([]string{"stream"}, everyone...),
		AsleepNotice:                append([]string{"notice"}, everyone...),
		AsleepStream | AsleepNotice: append([]string{"stream", "notice"}, everyone...),
		0:                           everyone,
	}
	for set, rung := range sets {
		want := map[string]int{}
		for _, name := range rung {
			want[name] = 1
		}
		for name, event := range events {
			l := newHeapLink(t, fewSlots)
			rings := l.countRings()
			if !l.worker.Sleep(set, LinkOpen, nil) {
				t.Fatalf("a worker with nothing to do may not sleep (set %d)", set)
			}
			event(l)
			if *rings != want[name] {
				t.Errorf("a worker that sleeps for set %d is rung %d times for a %s, want %d", set, *rings, name,
					want[name])
			}
		}
	}
}

func TestAWorkerThatIsAwakeIsNotRung(t *testing.T) {
	l := newHeapLink(t, fewSlots)
	rings := l.countRings()
	l.server.Notify(0)
	l.worker.Sleep(AsleepNotice, LinkOpen, nil)
	l.worker.Awake()
	l.server.Notify(0)
	l.server.Alert(0)
	l.server.Wake()
	if *rings != 0 {
		t.Errorf("rung %d times", *rings)
	}
}

func TestASleeperIsRungOnceForEachSleep(t *testing.T) {
	l := newHeapLink(t, fewSlots)
	rings := l.countRings()
	for sleep := 1; sleep <= 5; sleep++ {
		if !l.worker.Sleep(AsleepStream|AsleepNotice, LinkOpen, nil) {
			t.Fatalf("sleep %d: there is news", sleep)
		}
		for range 3 {
			l.server.Notify(0)
			l.server.Alert(1)
		}
		if *rings != sleep {
			t.Errorf("%d rings for %d sleeps", *rings, sleep)
		}
		l.worker.Awake()
		if _, err := l.worker.News(func(uint32) {}); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAWorkerMayNotSleepOverNewsThatCameFirst(t *testing.T) {
	both := AsleepStream | AsleepNotice
	news := map[string]func(*heapLink){
		"stream": func(l *heapLink) { l.server.Inbox.Append(Assignment{StreamID: 1}); l.server.Offered() },
		"notice": func(l *heapLink) { l.server.Notify(0) },
		"drain":  func(l *heapLink) { l.server.SetState(LinkDraining) },
	}
	for name, come := range news {
		l := newHeapLink(t, fewSlots)
		come(l)
		if l.worker.Sleep(both, LinkOpen, nil) {
			t.Errorf("it may sleep over a %s", name)
		}
		l.worker.Awake()
	}
}

func TestAWorkerWithoutAFreeLaneMaySleepOverAStream(t *testing.T) {
	l := newHeapLink(t, fewSlots)
	l.server.Inbox.Append(Assignment{StreamID: 1})
	l.server.Offered()
	if !l.worker.Sleep(AsleepNotice, LinkOpen, nil) {
		t.Error("it is kept awake by a stream that it did not ask for")
	}
}

func TestAWorkerSeesTheStateOfItsLink(t *testing.T) {
	l := newHeapLink(t, fewSlots)
	for _, state := range []LinkState{LinkOpen, LinkDraining, LinkClosed} {
		l.server.SetState(state)
		if got := l.worker.State(); got != state {
			t.Errorf("state %d, want %d", got, state)
		}
	}
}

func TestTheWatcherIsRungOnceForEachSleep(t *testing.T) {
	bell := testBell(t)
	l := newHeapLinkWithBells(t, fewSlots, bell, nil)
	l.worker.Notify(0)
	if rings(t, bell) != 0 {
		t.Error("a watcher that is awake was rung")
	}
	if l.server.Sleep() {
		t.Error("the watcher may sleep over news that came first")
	}
	for range 3 {
		l.server.Awake()
		if _, err := l.server.News(func(uint32) {}); err != nil {
			t.Fatal(err)
		}
		if !l.server.Sleep() {
			t.Fatal("the watcher may not sleep although there is no news")
		}
		l.worker.Notify(0)
		l.worker.Notify(1)
		if got := rings(t, bell); got != 1 {
			t.Errorf("rung %d times for two notices and one sleep", got)
		}
	}
}

func TestNewsComeWithTheLaneTheyAreOf(t *testing.T) {
	l := newHeapLinkWithBells(t, fewSlots, testBell(t), nil)
	var toWorker, toServer []uint32
	l.server.Notify(1)
	l.server.Alert(0)
	if all, err := l.worker.News(func(lane uint32) { toWorker = append(toWorker, lane) }); all || err != nil {
		t.Fatal(all, err)
	}
	l.worker.Notify(0)
	l.worker.Notify(1)
	if all, err := l.server.News(func(lane uint32) { toServer = append(toServer, lane) }); all || err != nil {
		t.Fatal(all, err)
	}
	if len(toWorker) != 2 || toWorker[0] != 1 || toWorker[1] != 0 {
		t.Errorf("the worker hears of %v", toWorker)
	}
	if len(toServer) != 2 || toServer[0] != 0 || toServer[1] != 1 {
		t.Errorf("the server hears of %v", toServer)
	}
}

func TestANewAttachStartsAnew(t *testing.T) {
	s := fewSlots
	l := newHeapLink(t, s)
	l.server.Inbox.Append(Assignment{StreamID: 1})
	l.server.Notify(0)
	l.server.SetState(LinkClosed)
	l.server.Sleep()

	g := s.responseGeometry(t)
	response := newResponseSegment(g, alignedHeap(g.Len))
	NewServerEnd(l.request, 0, 2, response, nil)
	if _, err := l.request.OpenResponseGeometry(0, 1); err == nil {
		t.Error("the mailbox still serves the attach before")
	}
	if got, err := l.request.OpenResponseGeometry(0, 2); err != nil || got != g {
		t.Errorf("the mailbox says %+v (%v), want %+v", got, err, g)
	}
	bell := testBell(t)
	worker := NewWorkerEnd(l.request, 0, 2, response, bell)
	if worker.Notify(0); rings(t, bell) != 0 {
		t.Error("the watcher of the attach before is rung")
	}
	if !worker.Inbox.Empty() || worker.State() != LinkOpen || !worker.Sleep(AsleepStream|AsleepNotice, LinkOpen, nil) {
		t.Error("something is left of the attach before")
	}
}

func TestAWorkerWhoseLinkDiedBeforeItOpenedItTakesNothingOfTheNextLink(t *testing.T) {
	s := fewSlots
	l := newHeapLink(t, s) // attach 1, to which its worker has been welcomed
	g := s.responseGeometry(t)
	next := NewServerEnd(l.request, 0, 2, newResponseSegment(g, alignedHeap(g.Len)), nil)
	worker := NewWorkerEnd(l.request, 0, 1, l.response, nil)
	next.Inbox.Append(Assignment{StreamID: 1})
	if a, _, ok := worker.Inbox.Take(); ok {
		t.Errorf("it took %+v", a)
	}
	if worker.State() != LinkClosed {
		t.Error("it does not see that its link is closed")
	}
}

func TestNoticesForTheNextLinkAreNoViolationForTheOneBefore(t *testing.T) {
	s := fewSlots
	l := newHeapLink(t, s)
	l.server.Notify(0)
	if _, err := l.worker.News(func(uint32) {}); err != nil {
		t.Fatal(err)
	}
	g := s.responseGeometry(t)
	NewServerEnd(l.request, 0, 2, newResponseSegment(g, alignedHeap(g.Len)), nil)
	if all, err := l.worker.News(func(uint32) {}); all || err != nil {
		t.Error(all, err)
	}
}

func TestALinkThatIsNotThereHasNoGeometry(t *testing.T) {
	l := newHeapLink(t, fewSlots)
	if _, err := l.request.OpenResponseGeometry(2, 1); err == nil {
		t.Error("link 2 of 2 has a geometry")
	}
}
