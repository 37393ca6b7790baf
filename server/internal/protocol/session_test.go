package protocol

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/wavey-ai/upload-response/proto"
	"github.com/wavey-ai/upload-response/server/internal/conn"
)

// requestOf returns a request of a version, with a body.
func requestOf(major, minor int) *http.Request {
	r := httptest.NewRequest(http.MethodPut, "/", strings.NewReader("body"))
	r.ProtoMajor, r.ProtoMinor = major, minor
	return r
}

func TestASessionIsThatOfTheVersion(t *testing.T) {
	for _, c := range []struct {
		major, minor int
		want         Session
		via          string
	}{
		{1, 0, Session{Version: proto.HTTP11, Pipelined: true, Ambiguous: true}, "1.1 upload-response"},
		{1, 1, Session{Version: proto.HTTP11, Pipelined: true}, "1.1 upload-response"},
		{3, 0, Session{Version: proto.HTTP3}, "3 upload-response"},
	} {
		w, s := Adapt(httptest.NewRecorder(), requestOf(c.major, c.minor))
		if s != c.want || s.Via() != c.via {
			t.Errorf("%d.%d: %+v, via %s", c.major, c.minor, s, s.Via())
		}
		Release(w)
	}
}

func TestAGuardedConnectionIsNotAmbiguous(t *testing.T) {
	r := requestOf(1, 0)
	r = r.WithContext(conn.With(r.Context(), &conn.Conn{Guarded: true}))
	if _, s := Adapt(httptest.NewRecorder(), r); s.Ambiguous {
		t.Error("it is")
	}
}

func TestARequestWhoseFieldsContradictItsFramesIsRefused(t *testing.T) {
	for name, change := range map[string]func(*http.Request){
		"another host":    func(r *http.Request) { r.Header["Host"] = []string{"other"} },
		"two hosts":       func(r *http.Request) { r.Header["Host"] = []string{r.Host, r.Host} },
		"no path":         func(r *http.Request) { r.RequestURI = "http://example.com/" },
		"another length":  func(r *http.Request) { r.Header["Content-Length"] = []string{"5"} },
		"two lengths":     func(r *http.Request) { r.Header["Content-Length"] = []string{"4", "4"} },
		"a signed length": func(r *http.Request) { r.Header["Content-Length"] = []string{"+4"} },
	} {
		s, r := Session{Version: proto.HTTP2}, requestOf(2, 0)
		if err := s.Check(r); err != nil {
			t.Fatal(err)
		}
		if change(r); s.Check(r) == nil {
			t.Errorf("%s: passes", name)
		}
	}
}

func TestNoInterimResponseFollowsTheFinalOne(t *testing.T) {
	recorder := httptest.NewRecorder()
	var statuses []int
	w := newInterimWriter(recordStatus{recorder, &statuses})
	w.Header().Set("X-Final", "1")
	SendInterim(w, http.StatusEarlyHints, http.Header{"Link": {"</a>"}})
	w.WriteHeader(http.StatusOK)
	SendInterim(w, http.StatusContinue, nil)
	if len(statuses) != 2 || statuses[0] != http.StatusEarlyHints || statuses[1] != http.StatusOK {
		t.Errorf("statuses %v", statuses)
	}
	if h := recorder.Header(); h.Get("X-Final") != "1" || h.Get("Link") != "" {
		t.Errorf("fields of the final response: %v", h)
	}
}

// recordStatus notes the statuses.
type recordStatus struct {
	http.ResponseWriter
	statuses *[]int
}

// WriteHeader notes one.
func (w recordStatus) WriteHeader(status int) { *w.statuses = append(*w.statuses, status) }

func TestOnlyLeftoversThatComeAreAwaited(t *testing.T) {
	for _, c := range []struct {
		version   proto.Version
		pipelined bool
		willCome  bool
		status    int
		awaited   bool
	}{
		{proto.HTTP11, true, true, 200, true},
		{proto.HTTP11, true, false, 200, false},
		{proto.HTTP2, false, true, 200, false},
		{proto.HTTP2, false, true, 413, true},
		{proto.HTTP3, false, true, 413, false},
	} {
		s := Session{Version: c.version, Pipelined: c.pipelined}
		if awaited := s.LeftoverDeadline(c.willCome, c.status).After(time.Now()); awaited != c.awaited {
			t.Errorf("%+v: awaited %v", c, awaited)
		}
	}
}
