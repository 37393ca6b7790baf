package load

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"time"
)

// The cases, by name.
const (
	CaseUpload   = "upload"
	CaseDownload = "download"
	CaseEcho     = "echo"
	CaseRequests = "requests"
	CaseFirst    = "first"
	CaseIdle     = "idle" // holds responses open; the next order ends that
)

// Order asks a client process for a measurement.
type Order struct {
	Case        string        `json:"case"`
	Target      Target        `json:"target"`
	Bytes       int64         `json:"bytes,omitempty"`
	Connections int           `json:"connections,omitempty"`
	Period      time.Duration `json:"period,omitempty"`
}

// Result is the result of an order. Times are in seconds.
type Result struct {
	Seconds float64 `json:"seconds"`
	Count   int     `json:"count"` // requests
	P50     float64 `json:"p50"`
	P99     float64 `json:"p99"`
	P999    float64 `json:"p999"`
	Error   string  `json:"error,omitempty"`
}

// run carries the order out.
func (o *Order) run(h *Holder) (*Result, error) {
	h.Drop()
	debug.FreeOSMemory() // garbage of the last order must not be collected during this one
	switch o.Case {
	case CaseUpload:
		return transferred(Upload(&o.Target, o.Bytes))
	case CaseDownload:
		return transferred(Download(&o.Target, o.Bytes))
	case CaseEcho:
		return transferred(Echo(&o.Target, o.Bytes))
	case CaseRequests:
		return answered(Requests(&o.Target, o.Connections, o.Period))
	case CaseFirst:
		return answered(FirstBytes(&o.Target, o.Period))
	case CaseIdle:
		return &Result{Count: o.Connections}, h.Hold(&o.Target, o.Connections)
	}
	return nil, fmt.Errorf("unknown case %q", o.Case)
}

func transferred(took time.Duration, err error) (*Result, error) {
	return &Result{Seconds: took.Seconds(), Count: 1}, err
}

func answered(l *Latencies, err error) (*Result, error) {
	if err != nil {
		return nil, err
	}
	return &Result{
		Seconds: l.Seconds, Count: l.Count(),
		P50: l.Percentile(50).Seconds(), P99: l.Percentile(99).Seconds(), P999: l.Percentile(99.9).Seconds(),
	}, nil
}

// Serve carries out orders, one a line, until its input ends.
func Serve(in io.Reader, out io.Writer) error {
	var h Holder
	defer h.Drop()
	orders, results := json.NewDecoder(in), json.NewEncoder(out)
	for {
		var o Order
		if err := orders.Decode(&o); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		result, err := o.run(&h)
		if err != nil {
			result = &Result{Error: err.Error()}
		}
		if err := results.Encode(result); err != nil {
			return err
		}
	}
}
