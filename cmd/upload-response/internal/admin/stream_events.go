package admin

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"strconv"
	"time"
)

// noEvents is the id of an event after all others.
const noEvents = math.MaxUint64 - 1

// How often a status may be sent on a stream of events, and how long nothing may be sent.
const (
	leastStatusTime = 200 * time.Millisecond
	keepAliveTime   = 15 * time.Second
)

// eventWriter writes one stream of server-sent events.
type eventWriter struct {
	server     *Server
	writer     io.Writer
	controller *http.ResponseController
	level      int // of log records, as levels has them
}

// levels ranks the levels of log records that readers may choose.
var levels = map[string]int{"info": 0, "warn": 1, "error": 2, "off": 3}

// streamEvents sends events as they come: log records, and what workers print, from a level up (level=info, warn, error
// or off), all others, and the status at an interval (status=1s). After a Last-Event-ID those
// that are kept come first; without one, as many as tail=N says.
func (s *Server) streamEvents(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	level, known := levels[orElse(query.Get("level"), "warn")]
	if !known {
		sendProblem(w, http.StatusBadRequest, "level: want info, warn, error or off")
		return
	}
	every, err := time.ParseDuration(orElse(query.Get("status"), "0s"))
	if err != nil || every != 0 && every < leastStatusTime {
		sendProblem(w, http.StatusBadRequest, "status: want a duration of at least 200ms")
		return
	}
	after, tail := uint64(noEvents), 0
	if text := r.Header.Get("Last-Event-ID"); text != "" {
		after, _ = strconv.ParseUint(text, 10, 64)
	} else if tail, _ = strconv.Atoi(query.Get("tail")); tail > 0 {
		after = 0
	}
	reader, before := s.config.Events.subscribe(after)
	defer s.config.Events.unsubscribe(reader)
	w.Header().Set("Content-Type", "text/event-stream")
	_ = http.NewResponseController(w).SetReadDeadline(time.Time{}) // at its end the context would be cancelled
	e := &eventWriter{server: s, writer: w, controller: http.NewResponseController(w), level: level}
	before = e.wanted(before)
	if tail > 0 {
		before = before[max(0, len(before)-tail):]
	}
	_ = e.run(r, reader, before, every)
}

// wanted returns the events that the reader chose.
func (e *eventWriter) wanted(list []Event) (some []Event) {
	for _, event := range list {
		if e.wants(&event) {
			some = append(some, event)
		}
	}
	return some
}

func (e *eventWriter) wants(event *Event) bool {
	return event.Type != TypeLog && event.Type != TypeOutput || levels[event.Level] >= e.level
}

// run writes events until the reader is gone, or the server ends.
func (e *eventWriter) run(r *http.Request, reader *reader, before []Event, every time.Duration) error {
	for i := range before {
		if err := e.write(&before[i]); err != nil {
			return err
		}
	}
	var ticks <-chan time.Time
	if every > 0 {
		ticker := time.NewTicker(every)
		defer ticker.Stop()
		ticks = ticker.C
		if err := e.writeStatus(); err != nil {
			return err
		}
	}
	alive := time.NewTicker(keepAliveTime)
	defer alive.Stop()
	if err := e.send(": here\n\n"); err != nil {
		return err
	}
	for {
		var err error
		select {
		case event := <-reader.events:
			err = e.writeNext(&event, reader)
		case <-ticks:
			err = e.writeStatus()
		case <-alive.C:
			err = e.send(": still here\n\n")
		case <-e.server.ending:
			return nil
		case <-r.Context().Done():
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// writeNext writes an event if it is wanted, and before that how many the reader has missed.
func (e *eventWriter) writeNext(event *Event, reader *reader) error {
	if n := e.server.config.Events.takeMissed(reader); n > 0 {
		dropped := Event{Time: time.Now(), Type: TypeDropped, Message: fmt.Sprintf("%d events were dropped", n)}
		if err := e.write(&dropped); err != nil {
			return err
		}
	}
	if !e.wants(event) {
		return nil
	}
	return e.write(event)
}

func (e *eventWriter) write(event *Event) error {
	text, err := json.Marshal(event)
	if err != nil {
		return err
	}
	id := ""
	if event.ID != 0 {
		id = fmt.Sprintf("id: %d\n", event.ID)
	}
	return e.send(fmt.Sprintf("%sevent: %s\ndata: %s\n\n", id, event.Type, text))
}

// typeStatus is the type of an event whose data is a [Status].
const typeStatus = "status"

func (e *eventWriter) writeStatus() error {
	text, err := json.Marshal(e.server.status())
	if err != nil {
		return err
	}
	return e.send(fmt.Sprintf("event: %s\ndata: %s\n\n", typeStatus, text))
}

// send sends text at once. A reader that does not take it in time loses the stream.
func (e *eventWriter) send(text string) error {
	_ = e.controller.SetWriteDeadline(time.Now().Add(requestTime))
	if _, err := io.WriteString(e.writer, text); err != nil {
		return err
	}
	return e.controller.Flush()
}
