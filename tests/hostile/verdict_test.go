package hostile_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/wavey-ai/upload-response/tests/rawclient"
)

// account is all that is known of what came of a row: what the client heard, and what
// was seen of it by those who serve.
type account struct {
	rawclient.Transcript
	first    []sighting // of the row itself
	behind   int        // requests seen that were behind it
	smuggled int        // requests seen that were the body of another
}

// accountOf puts together what is known of a row.
func accountOf(id string, heard rawclient.Transcript, seen []sighting) account {
	a := account{Transcript: heard}
	for _, s := range of(id, seen) {
		switch path := strings.TrimPrefix(s.Target, "http://test"); path {
		case as(id, "/{id}/ahead"):
		case as(id, "/{id}/behind"):
			a.behind++
		case as(id, "/{id}/smuggled"):
			a.smuggled++
		default:
			a.first = append(a.first, s)
		}
	}
	a.Answers = slices.DeleteFunc(slices.Clone(heard.Answers), func(x rawclient.Answer) bool {
		return seenOf(x) == as(id, "/{id}/ahead")
	})
	return a
}

// outcome says in the words of a row what came of it.
func (a *account) outcome() outcome {
	found := outcome{fateRefused, 0}
	for _, x := range a.Answers {
		if seenOf(x) == "" {
			found.status = x.Status
			break
		}
	}
	switch whole := len(a.first) == 1 && a.first[0].Broken == ""; {
	case a.Open || a.smuggled > 0 || len(a.first) > 1 || a.behind > 1:
		found.fate = fateStrange
	case whole && a.behind == 1:
		found.fate = fateServed
	case whole:
		found.fate = fateLast
	case a.behind == 1:
		found.fate = fateSpared
	}
	if !slices.Equal(a.statuses(), found.statuses()) {
		found.fate = fateStrange
	}
	return found
}

// statuses returns those of the answers, in their order.
func (a *account) statuses() (list []int) {
	for _, x := range a.Answers {
		list = append(list, x.Status)
	}
	return list
}

// statuses returns those of the answers that belong to an outcome.
func (o outcome) statuses() (list []int) {
	if o.status != 0 {
		list = append(list, o.status)
	}
	switch o.fate {
	case fateServed:
		return append(list, http.StatusOK, http.StatusOK)
	case fateSpared:
		return append(list, http.StatusOK)
	case fateLast:
		return append([]int{http.StatusOK}, list...)
	}
	return list
}

func (a *account) String() string {
	text := fmt.Sprintf("answers %v, interim %v", a.Answers, a.Interim)
	if a.Open {
		text += ", the connection is open"
	}
	if a.smuggled > 0 {
		text += ", A BODY BECAME A REQUEST"
	}
	for _, s := range a.first {
		text += fmt.Sprintf("\nseen: %.300q", fmt.Sprintf("%+v", s))
	}
	return text
}

// check compares the outcome of a row with the one that it has to have.
func (r *row) check(t *testing.T, id string, a account) {
	t.Helper()
	if got := a.outcome(); got != r.want {
		t.Errorf("%v, want %v\n%v", got, r.want, &a)
		return
	}
	if !slices.Equal(a.Interim, r.interim) {
		t.Errorf("interim responses %d, want %d", a.Interim, r.interim)
	}
	if r.want.fate == fateServed || r.want.fate == fateLast {
		r.checkSeen(t, id, &a.first[0])
	}
}

// checkSeen compares what was seen of a row that was served with what has to be.
func (r *row) checkSeen(t *testing.T, id string, s *sighting) {
	t.Helper()
	for _, c := range []struct{ what, got, want string }{
		{"target", s.Target, orElse(r.target, "/{id}")}, {"host", orElse(s.Host, noHost), orElse(r.host, "test")},
		{"body", s.Body, r.body},
	} {
		if want := as(id, c.want); c.got != want {
			t.Errorf("%s %.200q, want %.200q", c.what, c.got, want)
		}
	}
	if name, value, _ := strings.Cut(r.field, ": "); r.field != "" &&
		!slices.Contains(slices.Concat(s.Header[name], s.Trailer[name]), value) {
		t.Errorf("no field %q in %v, trailers %v", r.field, s.Header, s.Trailer)
	}
	if len(s.Header[r.lacks])+len(s.Trailer[r.lacks]) > 0 {
		t.Errorf("a field %q in %v, trailers %v", r.lacks, s.Header, s.Trailer)
	}
}

// noHost is what a row has for its host if it has none.
const noHost = "none"

func orElse(text, other string) string {
	if text == "" {
		return other
	}
	return text
}
