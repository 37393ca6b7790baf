package fault

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
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

func TestEveryFaultHasALabelOfItsOwn(t *testing.T) {
	labels := Labels()
	seen := map[string]bool{}
	for _, label := range labels {
		if seen[label] || !regexp.MustCompile(`^[a-z_]+$`).MatchString(label) {
			t.Errorf("%q is there twice, or no label", label)
		}
		seen[label] = true
	}
	for i := range table {
		if row := Of(table[i].Err).Row(); row != i || labels[row] != table[i].Label() {
			t.Errorf("%v is row %d, want %d", table[i].Err, row, i)
		}
		if OfReason(table[i].Reason()) != &table[i] {
			t.Errorf("%v is not found by its reason", table[i].Err)
		}
	}
	if got := Of(io.EOF).Label(); labels[Of(io.EOF).Row()] != got || got != "internal_error" {
		t.Errorf("an unknown error has the label %q", got)
	}
}
