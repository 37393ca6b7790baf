package progress

import (
	"testing"
	"time"
)

type noController struct{}

func (noController) SetReadDeadline(time.Time) error  { return nil }
func (noController) SetWriteDeadline(time.Time) error { return nil }

func TestEveryByteOfALongExchangeIsCountedOnce(t *testing.T) {
	var x Exchange
	for range 2 { // the second exchange begins anew
		x.Reset()
		x.Receive(7)
		if m := x.CountMoved(); m != (Moved{}) {
			t.Errorf("counted %+v of an exchange that has not begun", m)
		}
		x.Attach(t.Context(), noController{}, nil, TransferCounter{})
		for i := range 3 {
			x.Receive(10)
			x.Sent(100)
			want := Moved{Received: 10, Sent: 100}
			if i == 0 {
				want.Received = 17
			}
			if m := x.CountMoved(); m != want {
				t.Errorf("counted %+v, want %+v", m, want)
			}
		}
		x.Receive(1)
		x.Detach()
		if m := x.CountMoved(); m != (Moved{}) {
			t.Errorf("counted %+v of an exchange that is over", m)
		}
		if got := x.Counted(); got != (Moved{Received: 37, Sent: 300}) {
			t.Errorf("in all %+v", got)
		}
	}
}
