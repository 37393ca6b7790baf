package admin

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/wavey-ai/upload-response/tests/harness"
)

var errEnough = errors.New("enough")

// collect returns the next n events that a client gets after it has called ready.
func (s *site) collect(t *testing.T, wanted Watch, n int, ready func()) (list []Event) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), harness.Patience)
	defer cancel()
	before := s.readers()
	go func() {
		harness.Eventually(t, "the reader to be there", func() bool { return s.readers() > before })
		ready()
	}()
	err := s.Events(ctx, wanted, func(e *Event) error {
		if list = append(list, *e); len(list) == n {
			return errEnough
		}
		return nil
	}, nil)
	if !errors.Is(err, errEnough) {
		t.Fatalf("%d events came, and then %v", len(list), err)
	}
	return list
}

func (s *site) readers() int {
	e := s.admin.config.Events
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.readers)
}

func TestLogRecordsAreEventsFromALevelUp(t *testing.T) {
	s := open(t, "", nil)
	var inner harness.Log
	text := slog.NewTextHandler(&inner, &slog.HandlerOptions{Level: slog.LevelError})
	log := slog.New(s.admin.config.Events.Handler(text))
	list := s.collect(t, Watch{}, 2, func() {
		log.Info("quiet")
		log.With("app", "web").Warn("loud", "worker", "web/0", "pid", 7, slog.Group("g", "error", errEnough, "n", 3))
		log.WithGroup("other").Error("louder", "took", time.Second)
	})
	first, second := list[0], list[1]
	if first.Message != "loud" || first.Level != "warn" || first.App != "web" || first.Worker != "web/0" ||
		first.PID != 7 || fmt.Sprint(first.Attributes) != "map[g.error:enough g.n:3]" ||
		first.Time.IsZero() || first.ID != s.admin.config.Events.before+2 {
		t.Errorf("the first is %+v", first)
	}
	if second.Message != "louder" || fmt.Sprint(second.Attributes) != "map[other.took:1s]" {
		t.Errorf("the second is %+v", second)
	}
	if got := inner.String(); strings.Contains(got, "loud ") || !strings.Contains(got, "msg=louder other.took=1s") {
		t.Errorf("the log has %q", got)
	}
	tail := s.collect(t, Watch{Level: "info", Tail: 3}, 3, func() {})
	if tail[0].Message != "quiet" || tail[2].Message != "louder" {
		t.Errorf("the last three are %+v", tail)
	}
}

func TestAReaderThatIsSlowMissesEventsAndIsToldHowMany(t *testing.T) {
	s := open(t, "", nil)
	events := s.admin.config.Events
	r, _ := events.subscribe(noEvents)
	defer events.unsubscribe(r)
	for range readerEvents + 10 {
		events.Publish(Event{Type: TypeLog, Message: strings.Repeat("x", 100)})
	}
	if missed := events.takeMissed(r); missed != 10 {
		t.Errorf("%d are missing, want 10", missed)
	}
	if _, kept := events.subscribe(0); len(kept) != readerEvents+10 {
		t.Errorf("%d are kept", len(kept))
	}
	for range keptEvents {
		events.Publish(Event{Type: TypeLog})
	}
	if _, kept := events.subscribe(0); len(kept) != keptEvents || kept[0].ID != events.before+readerEvents+11 {
		t.Errorf("%d are kept, from %d", len(kept), kept[0].ID)
	}
}

func TestAReaderThatComesBackToAnotherProcessGetsAllItsEvents(t *testing.T) {
	before, after := NewEvents(), NewEvents()
	for after.before == before.before { // within a microsecond
		after = NewEvents()
	}
	before.Publish(Event{Message: "of the old one"})
	after.Publish(Event{Message: "of the new one"})
	_, list := after.subscribe(before.before) // it had seen nothing yet of the old one, or a few
	if len(list) != 1 || list[0].Message != "of the new one" {
		t.Errorf("it gets %+v", list)
	}
	if _, list = after.subscribe(list[0].ID); len(list) != 0 {
		t.Errorf("it gets %+v again", list)
	}
}

func TestTheStatusComesByItself(t *testing.T) {
	s := open(t, "", nil)
	s.StartWorker(t, "app")
	seen := 0
	err := s.Events(t.Context(), Watch{Status: leastStatusTime}, nil, func(status *Status) error {
		if seen++; seen == 2 && status.Apps[0].State == AppReady {
			return errEnough
		}
		return nil
	})
	if !errors.Is(err, errEnough) {
		t.Error(err)
	}
}

func TestStreamsOfEventsEndWithTheServer(t *testing.T) {
	s := open(t, "", nil)
	ended := make(chan error, 1)
	go func() { ended <- s.Events(context.Background(), Watch{}, nil, nil) }()
	harness.Eventually(t, "the reader to be there", func() bool { return s.readers() == 1 })
	ctx, cancel := context.WithTimeout(t.Context(), harness.Patience)
	defer cancel()
	s.admin.Shutdown(ctx)
	if err := harness.Receive(t, "the end of the stream", ended); err != nil || ctx.Err() != nil {
		t.Errorf("it ended with %v, and the server with %v", err, ctx.Err())
	}
	harness.Eventually(t, "the reader to be gone", func() bool { return s.readers() == 0 })
}
