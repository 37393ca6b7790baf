package http_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/wavey-ai/upload-response/server"
	"github.com/wavey-ai/upload-response/tests/e2e/internal/e2etest"
	"github.com/wavey-ai/upload-response/tests/harness"
)

// expand returns what is behind a content coding.
func expand(t testing.TB, coding string, r io.Reader) io.Reader {
	t.Helper()
	switch coding {
	case "gzip":
		expanded, err := gzip.NewReader(r)
		harness.Check(t, err)
		return expanded
	case "zstd":
		expanded, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1))
		harness.Check(t, err)
		return expanded
	}
	t.Fatalf("Content-Encoding %q", coding)
	return nil
}

var withCompression = func(c *server.Config) { c.Compress = true }

var bothCodings = []string{"gzip", "zstd"}

func TestResponsesAreCompressedForThoseWhoTakeItThroughEachDoor(t *testing.T) {
	t.Parallel()
	e2etest.ThroughEachDoor(t, withCompression, func(v *e2etest.Visitor) {
		for _, coding := range bothCodings {
			for _, query := range []string{"", "&field=Content-Length:100000", "&flush", `&field=Etag:"tag"&flush`} {
				path := "/reply?length=100000&body=text&field=Content-Type:text/plain" +
					strings.ReplaceAll(query, ":100000", ":100004")
				response := v.Do(v.Accept(coding, "GET", path, nil))
				body, err := io.ReadAll(expand(v, response.Header.Get("Content-Encoding"), response.Body))
				if err != nil || len(body) != 100004 || string(body[:4]) != "text" ||
					response.Header.Get("Content-Encoding") != coding {
					v.Errorf("%s: %d bytes, %v, %v", query, len(body), err, response.Header)
				}
				if response.ContentLength > 2000 || response.Header.Get("Vary") != "Accept-Encoding" ||
					strings.Contains(query, "Etag") != (response.Header.Get("Etag") == `W/"tag"`) {
					v.Errorf("%s: length %d, %v", query, response.ContentLength, response.Header)
				}
			}
			got := e2etest.WantStatus(v,
				v.Do(v.Accept(coding, "GET", "/reply?length=100000&field=Content-Type:image/png", nil)), http.StatusOK)
			if len(got) != 100000 {
				v.Errorf("%d bytes of a picture came", len(got))
			}
		}
		plain := v.Get("/reply?length=100000&field=Content-Type:text/plain")
		if got := e2etest.WantStatus(v, plain, http.StatusOK); len(got) != 100000 ||
			plain.Header.Get("Content-Encoding") != "" || plain.Header.Get("Vary") != "Accept-Encoding" {
			v.Errorf("%d bytes, %v", len(got), plain.Header)
		}
	})
}

func TestResponsesWithoutABodyHaveNoneOfACompressorThroughEachDoor(t *testing.T) {
	t.Parallel()
	e2etest.ThroughEachDoor(t, withCompression, func(v *e2etest.Visitor) {
		for _, c := range []struct {
			method, query string
			status        int
			encoded       bool
		}{
			{"HEAD", "length=100000&field=Content-Type:text/plain", 200, true},
			{"HEAD", "field=Content-Length:100000&field=Content-Type:text/plain", 200, true},
			{"GET", "status=204&field=Content-Type:text/plain", 204, false},
			{"GET", "status=304&field=Content-Type:text/plain&length=100000", 304, false},
		} {
			response := v.Do(v.Accept("gzip", c.method, "/reply?"+c.query, nil))
			if body := e2etest.WantStatus(v, response, c.status); body != "" || response.ContentLength > 0 ||
				(response.Header.Get("Content-Encoding") == "gzip") != c.encoded {
				v.Errorf("%s %s: %d bytes, length %d, %v", c.method, c.query, len(body), response.ContentLength,
					response.Header)
			}
		}
		part := v.Accept("gzip", "GET", "/file", nil)
		part.Header.Set("Range", "bytes=0-9999")
		if got := e2etest.WantStatus(v, v.Do(part), http.StatusPartialContent); got != e2etest.FileText[:10000] {
			v.Errorf("%d bytes of a range came", len(got))
		}
		whole := v.Do(v.Accept("gzip", "GET", "/file", nil))
		tag := whole.Header.Get("Etag")
		if body, err := io.ReadAll(expand(v, whole.Header.Get("Content-Encoding"), whole.Body)); err != nil ||
			string(body) != e2etest.FileText || tag != "W/"+e2etest.FileTag {
			v.Errorf("%d bytes, %v, with tag %s", len(body), err, tag)
		}
		again := v.Accept("gzip", "GET", "/file", nil)
		again.Header.Set("If-None-Match", tag)
		response := v.Do(again)
		if e2etest.WantStatus(v, response, http.StatusNotModified); response.Header.Get("Etag") != tag {
			v.Errorf("the same is tagged %s now", response.Header.Get("Etag"))
		}
	})
}

func TestWhatACacheLearnsOfACompressedResponseIsAlwaysTheSameThroughEachDoor(t *testing.T) {
	t.Parallel()
	e2etest.ThroughEachDoor(t, withCompression, func(v *e2etest.Visitor) {
		for _, tag := range []string{`"v1"`, `"v,1"`} {
			escaped := url.QueryEscape(tag)
			whole := v.Do(v.Accept("gzip", "GET",
				"/reply?length=5000&field=Content-Type:text/css&field=Etag:"+escaped, nil))
			_, _ = io.Copy(io.Discard, whole.Body)
			again := v.Accept("gzip", "GET", "/reply?status=304&field=Etag:"+escaped, nil)
			again.Header.Set("If-None-Match", `"other", `+whole.Header.Get("Etag"))
			same := v.Do(again)
			e2etest.WantStatus(v, same, http.StatusNotModified)
			if got, want := same.Header.Get("Etag"), whole.Header.Get("Etag"); got != want || want != "W/"+tag ||
				same.Header.Get("Vary") != "Accept-Encoding" {
				v.Errorf("200 with %s, 304 with %s, %v", want, got, same.Header)
			}
		}
		for field, status := range map[string]int{
			"bytes=0-9": http.StatusPartialContent, "bytes=0-9,20-29": http.StatusPartialContent,
			"bytes=999999999-": http.StatusRequestedRangeNotSatisfiable,
		} {
			part := v.Accept("gzip", "GET", "/file", nil)
			part.Header.Set("Range", field)
			response := v.Do(part)
			if e2etest.WantStatus(v, response, status); response.Header.Get("Vary") != "Accept-Encoding" {
				v.Errorf("%s: %v", field, response.Header)
			}
		}
		weak := v.Accept("gzip", "GET", "/file", nil)
		weak.Header.Set("Range", "bytes=0-9")
		weak.Header.Set("If-Range", "W/"+e2etest.FileTag)
		response := v.Do(weak)
		if body, err := io.ReadAll(expand(v, response.Header.Get("Content-Encoding"), response.Body)); err != nil ||
			response.StatusCode != http.StatusOK || string(body) != e2etest.FileText {
			v.Errorf("a range on condition of a weak tag: %s, %d bytes, %v", response.Status, len(body), err)
		}
	})
}

// What the worker has flushed can be made of what has come.
func TestACompressedConversationIsNotHeldBackThroughEachDoor(t *testing.T) {
	t.Parallel()
	e2etest.ThroughEachDoor(t, withCompression, func(v *e2etest.Visitor) {
		for _, coding := range bothCodings {
			body, upload := io.Pipe()
			ctx, cancel := context.WithCancel(context.Background())
			c := &e2etest.Conversation{Visitor: v, Upload: upload, Cancel: cancel}
			c.Response = v.Do(v.Accept(coding, "POST", "/events", body).WithContext(ctx))
			c.Response.Body = io.NopCloser(expand(v, c.Response.Header.Get("Content-Encoding"), c.Response.Body))
			for i := 1; i < 20; i++ {
				c.Hear(fmt.Sprintf("data: %d\n\n", i))
				c.Say("next\n")
			}
			c.Hear("data: 20\n\n")
			if rest := c.Finish(); rest != "" {
				v.Errorf("%q more", rest)
			}
			cancel()
		}
	})
}

func TestTrailersFollowACompressedBodyThroughEachDoor(t *testing.T) {
	t.Parallel()
	e2etest.ThroughEachDoor(t, withCompression, func(v *e2etest.Visitor) {
		response := v.Do(v.Accept("zstd", "GET",
			"/reply?length=5000&field=Content-Type:text/plain&field=Trailer:X-Sum&trailer=X-Sum:abc", nil))
		body, err := io.ReadAll(expand(v, response.Header.Get("Content-Encoding"), response.Body))
		harness.Check(v, err)
		_, _ = io.Copy(io.Discard, response.Body) // to where the trailers are
		if len(body) != 5000 || response.Trailer.Get("X-Sum") != "abc" {
			v.Errorf("%d bytes, trailers %v", len(body), response.Trailer)
		}
	})
}

func TestACompressedResponseThatBreaksOffNeverLooksCompleteThroughAnyDoor(t *testing.T) {
	t.Parallel()
	e2etest.ThroughEachDoor(t, withCompression, func(v *e2etest.Visitor) {
		for _, query := range []string{
			"field=Content-Length:100000&length=99999", "field=Content-Length:10000&length=20000",
		} {
			response, err := v.Client.Do(v.Accept("gzip", "GET",
				"/reply?flush&field=Content-Type:text/plain&"+query, nil))
			if err == nil {
				v.WantBroken(response)
			}
		}
		ctx, cancel := context.WithCancel(context.Background())
		response := v.Do(v.Accept("gzip", "GET", "/flood?type=text/plain&id="+v.ID("zip"), nil).WithContext(ctx))
		_, err := io.CopyN(io.Discard, expand(v, response.Header.Get("Content-Encoding"), response.Body), 1<<20)
		harness.Check(v, err)
		cancel()
		v.WantSaid("flood %s: worker: request cancelled: client gone", v.ID("zip"))
	})
}

func TestNothingIsCompressedUnlessSomebodySaysSo(t *testing.T) {
	t.Parallel()
	e2etest.ThroughEachDoor(t, nil, func(v *e2etest.Visitor) {
		response := v.Do(v.Accept("gzip, zstd", "GET", "/reply?length=100000&field=Content-Type:text/plain", nil))
		if got := e2etest.WantStatus(v, response, http.StatusOK); len(got) != 100000 ||
			response.Header.Get("Vary") != "" {
			v.Errorf("%d bytes, %v", len(got), response.Header)
		}
	})
}

// A client that does not read holds an encoder as long as it may, and no longer.
func TestEncodersComeBackFromClientsThatLeave(t *testing.T) {
	t.Parallel()
	s, worker := e2etest.StartBoth(t, func(c *server.Config) { c.Compress, c.NumStreams = true, 200 })
	secure := s.Secure(t)
	for round := range 3 { // of more than there are encoders
		// The server closes a connection whose client resets more than 100 requests in a row.
		v := e2etest.NewVisitor(t, e2etest.Doors[2], s, worker, secure)
		var open []context.CancelFunc
		for range 60 {
			ctx, cancel := context.WithCancel(context.Background())
			response := v.Do(v.Accept("zstd", "GET", "/wait?flush&type=text/plain", nil).WithContext(ctx))
			if coding := response.Header.Get("Content-Encoding"); coding != "zstd" {
				t.Fatalf("round %d, response %d: Content-Encoding %q", round, len(open), coding)
			}
			open = append(open, cancel)
		}
		for _, cancel := range open {
			cancel()
		}
		s.AwaitRest(t)
	}
}
