package admin

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Watch says which events a client wants.
type Watch struct {
	Level  string        // of log records: info, warn, error or off; empty: warn
	Tail   int           // so many of the last events come first
	Status time.Duration // how often the status is to come; 0: never
}

// maxEvent is the most bytes in the data of an event.
const maxEvent = 16 << 20

// Events calls onEvent with events, and onStatus with the status, as they come, until ctx ends,
// the server does, or one of them returns an error, which it then returns. Either may be nil.
func (c *Client) Events(
	ctx context.Context, wanted Watch, onEvent func(*Event) error, onStatus func(*Status) error,
) error {
	query := url.Values{}
	if wanted.Level != "" {
		query.Set("level", wanted.Level)
	}
	if wanted.Tail > 0 {
		query.Set("tail", strconv.Itoa(wanted.Tail))
	}
	if wanted.Status > 0 {
		query.Set("status", wanted.Status.String())
	}
	response, err := c.send(ctx, http.MethodGet, "/events?"+query.Encode(), nil,
		http.Header{"Accept": {"text/event-stream"}})
	if err != nil {
		return err
	}
	defer response.Body.Close()
	lines := bufio.NewScanner(response.Body)
	lines.Buffer(nil, maxEvent)
	kind := ""
	for lines.Scan() {
		line := lines.Text()
		if name, ok := strings.CutPrefix(line, "event: "); ok {
			kind = name
		} else if data, ok := strings.CutPrefix(line, "data: "); ok {
			if err := deliver(kind, data, onEvent, onStatus); err != nil {
				return err
			}
		}
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return lines.Err()
}

// deliver decodes the data of an event, and hands it on.
func deliver(kind, data string, onEvent func(*Event) error, onStatus func(*Status) error) error {
	if kind == typeStatus {
		var status Status
		if err := json.Unmarshal([]byte(data), &status); err != nil {
			return fmt.Errorf("a status that makes no sense: %w", err)
		}
		if onStatus == nil {
			return nil
		}
		return onStatus(&status)
	}
	var event Event
	if err := json.Unmarshal([]byte(data), &event); err != nil {
		return fmt.Errorf("an event that makes no sense: %w", err)
	}
	if onEvent == nil {
		return nil
	}
	return onEvent(&event)
}
