package fault

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"testing"
)

func TestEveryFaultHasAStatusAndAReasonOfItsOwn(t *testing.T) {
	reasons := map[string]bool{}
	for _, row := range table {
		if row.Status < 400 || row.Status > 599 {
			t.Errorf("%v: status %d", row.Err, row.Status)
		}
		if reasons[row.Reason()] {
			t.Errorf("%v: the reason is there twice", row.Err)
		}
		reasons[row.Reason()] = true
		if found := Of(fmt.Errorf("somewhere: %w: %w", row.Err, io.EOF)); found.Err != row.Err {
			t.Errorf("%v wrapped is taken for %v", row.Err, found.Err)
		}
	}
}

func TestAnUnknownErrorIsAnInternalOneAndSaysNothingMore(t *testing.T) {
	f := Of(errors.New("secret"))
	if f.Status != http.StatusInternalServerError || f.Reason() != "internal error" || f.Retry ||
		f.Close() != closeInternalError {
		t.Errorf("%+v", f)
	}
}

func TestAPreemptedClientIsASlowOne(t *testing.T) {
	if Of(ErrPreempted) != Of(ErrClientSlow) {
		t.Error("they have different rows")
	}
}
