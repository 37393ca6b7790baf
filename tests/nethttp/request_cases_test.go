package nethttp_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime/multipart"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"time"
)

func init() { cases = append(append(cases, requestCases...), madeOf...) }

// told are fields of requests that the server adds, or replaces.
func told(name string) bool {
	return strings.HasPrefix(name, "X-Forwarded-") || name == "Forwarded" || name == "Via" || name == "X-Request-Id" ||
		name == "X-Client-Address"
}

// seesRequest notes what a handler sees before it reads the body.
func seesRequest(_ http.ResponseWriter, r *http.Request, n *notes) {
	n.add("%s %s %s %s", r.Method, r.URL.Path, r.URL.RawPath, r.URL.Query()["q"])
	n.add("uri is that of the URL: %t", r.RequestURI == r.URL.RequestURI())
	n.add("host: %t, %q", r.Host != "", r.URL.Host)
	n.add("length %d, %q", r.ContentLength, r.TransferEncoding)
	n.add("pattern %q, value %q", r.Pattern, r.PathValue("name"))
	for _, name := range slices.Sorted(maps.Keys(r.Header)) {
		if !told(name) && name != "Accept-Encoding" {
			n.add("%s: %q", name, r.Header[name])
		}
	}
	n.add("cookies %q", r.Cookies())
	user, password, ok := r.BasicAuth()
	n.add("%q, %q, %t; agent %q, referer %q", user, password, ok, r.UserAgent(), r.Referer())
	n.add("no body: %t", r.Body == http.NoBody)
}

// readsBody notes the body, and what is known after it.
func readsBody(w http.ResponseWriter, r *http.Request, n *notes) {
	b, err := io.ReadAll(r.Body)
	n.add("%d bytes, %s", len(b), named(err))
	n.add("trailers %q", r.Trailer)
	_, err = r.Body.Read(make([]byte, 1))
	n.add("after the end: %s", named(err))
	n.add("Close: %s, %s", named(r.Body.Close()), named(r.Body.Close()))
	_, err = r.Body.Read(make([]byte, 1))
	n.add("after Close: %s", named(err))
	_, _ = w.Write(b)
}

// inTurn calls one after the other.
func inTurn(list ...caseHandler) caseHandler {
	return func(w http.ResponseWriter, r *http.Request, n *notes) {
		for _, f := range list {
			f(w, r, n)
		}
	}
}

func withTrailers(r *http.Request) {
	r.Trailer = http.Header{"X-Sum": nil}
	body := r.Body
	r.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(body, atEnd(func() { r.Trailer.Set("X-Sum", "1") })), body}
}

// atEnd is a reader that has nothing, and is called when that is read.
type atEnd func()

func (f atEnd) Read([]byte) (int, error) {
	f()
	return 0, io.EOF
}

// unsizedBefore is a request whose length is said only by its framing.
var unsizedBefore = difference{[]int{2, 3}, "Transfer-Encoding is HTTP/1.1's", func(want *outcome) {
	for i, line := range want.Noted {
		want.Noted[i] = strings.Replace(line, `length -1, ["chunked"]`, `length -1, []`, 1)
	}
}}

var requestCases = []testCase{
	{name: "request", query: "&q=1&q=%20x", handler: seesRequest, request: func(r *http.Request) {
		r.SetBasicAuth("user", "pass word")
		r.Header.Set("Referer", "http://there/")
		r.Header["x-lower"] = []string{"1", "2"}
		r.AddCookie(&http.Cookie{Name: "a", Value: "1"})
		r.AddCookie(&http.Cookie{Name: "b", Value: "2"})
	}},
	{name: "a%2Fb;c d", handler: seesRequest},
	{name: "POST", method: "POST", body: bodyOf("hello"), handler: inTurn(seesRequest, readsBody)},
	{name: "POST of nothing", method: "POST", handler: inTurn(seesRequest, readsBody)},
	{name: "POST of an unsized body", method: "POST", body: unsized(html), handler: inTurn(seesRequest, readsBody),
		differs: []difference{unsizedBefore}},
	{name: "POST of many slots", method: "POST", body: bodyOf(strings.Repeat("0123456789", 100000)),
		handler: readsBody},
	{name: "POST with trailers", method: "POST", body: unsized("hello"), request: withTrailers, handler: readsBody},
	{name: "POST that is not read", method: "POST", body: bodyOf("hello"), handler: writes(nil, "no")},
	{name: "POST that is copied", method: "POST", body: bodyOf(html),
		handler: func(w http.ResponseWriter, r *http.Request, n *notes) {
			// without it net/http's body ends with the first byte of the response
			_ = http.NewResponseController(w).EnableFullDuplex()
			written, err := io.Copy(w, r.Body)
			n.add("%d, %s", written, named(err))
		}},
	{name: "Expect", method: "POST", body: bodyOf("hello"), handler: inTurn(seesRequest, readsBody),
		request: func(r *http.Request) { r.Header.Set("Expect", "100-continue") }, differs: []difference{
			{nil, "the server answers it", func(want *outcome) {
				want.Noted = slices.DeleteFunc(want.Noted, func(line string) bool {
					return strings.HasPrefix(line, "Expect:")
				})
			}},
		}},
	{name: "form", method: "POST", body: bodyOf("q=body&p=1"), query: "&q=query",
		handler: func(_ http.ResponseWriter, r *http.Request, n *notes) {
			n.add("%s, %q, %q, %q", named(r.ParseForm()), r.Form["q"], r.PostForm, r.FormValue("p"))
		}, request: func(r *http.Request) { r.Header.Set("Content-Type", "application/x-www-form-urlencoded") }},
	{name: "multipart form", method: "POST", handler: func(_ http.ResponseWriter, r *http.Request, n *notes) {
		n.add("%s, %q", named(r.ParseMultipartForm(1<<20)), r.MultipartForm.Value)
		f, header, err := r.FormFile("file")
		b, _ := io.ReadAll(f)
		n.add("%s, %s, %d of %d", named(err), header.Filename, len(b), header.Size)
	}, request: func(r *http.Request) {
		var b strings.Builder
		m := multipart.NewWriter(&b)
		_ = m.WriteField("q", "1")
		f, _ := m.CreateFormFile("file", "name.txt")
		_, _ = io.WriteString(f, html)
		_ = m.Close()
		r.Body, r.ContentLength = io.NopCloser(strings.NewReader(b.String())), int64(b.Len())
		r.Header.Set("Content-Type", m.FormDataContentType())
	}},
	{name: "context", handler: func(_ http.ResponseWriter, r *http.Request, n *notes) {
		ctx := r.Context()
		_, isServer := ctx.Value(http.ServerContextKey).(*http.Server)
		_, isAddr := ctx.Value(http.LocalAddrContextKey).(net.Addr)
		_, hasDeadline := ctx.Deadline()
		n.add("server %t, address %t, deadline %t, %s, %s", isServer, isAddr, hasDeadline, named(ctx.Err()),
			named(context.Cause(ctx)))
		child, cancel := context.WithCancel(ctx)
		cancel()
		n.add("child %s, parent %s", named(child.Err()), named(ctx.Err()))
		host, _, err := net.SplitHostPort(r.RemoteAddr)
		n.add("from %s, %s", host, named(err))
		n.add("over TLS as the client: %t", (r.TLS != nil) == (r.ProtoMajor == 3))
	}},
	{name: "context of a client that goes", leaves: true,
		handler: func(w http.ResponseWriter, r *http.Request, n *notes) {
			_, _ = io.WriteString(w, "hello")
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
			n.add("%s, %s", named(r.Context().Err()), named(context.Cause(r.Context())))
		}},
	{name: "CloseNotify of a client that goes", leaves: true,
		handler: func(w http.ResponseWriter, _ *http.Request, n *notes) {
			gone := w.(interface{ CloseNotify() <-chan bool }).CloseNotify()
			_, _ = io.WriteString(w, "hello")
			_ = http.NewResponseController(w).Flush()
			n.add("%t", <-gone)
		}},
	{name: "context after the handler", handler: func(_ http.ResponseWriter, r *http.Request, n *notes) {
		ended := make(chan struct{})
		context.AfterFunc(r.Context(), func() { close(ended) })
		n.add("%s", named(r.Context().Err()))
		n.after = ended
	}},
}

// madeOf are handlers of the standard library.
var madeOf = []testCase{
	{name: "MaxBytesReader", method: "POST", body: bodyOf("hello"),
		handler: func(w http.ResponseWriter, r *http.Request, n *notes) {
			b, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 3))
			n.add("%q, %s", b, named(err))
			http.Error(w, "too much", http.StatusRequestEntityTooLarge)
		}},
	{name: "TimeoutHandler in time",
		handler: asCase(http.TimeoutHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, "in time")
		}), time.Minute, "late"))},
	{name: "TimeoutHandler", method: "POST", body: bodyOf("hello"),
		handler: asCase(http.TimeoutHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			<-r.Context().Done()
			_, _ = io.Copy(io.Discard, r.Body)
			fmt.Fprint(w, "too late")
		}), 10*time.Millisecond, "late"))},
	{name: "StripPrefix", handler: asCase(http.StripPrefix("/case",
		http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.URL.Path) })))},
	{name: "CrossOriginProtection", method: "POST", body: bodyOf("x"),
		request: func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") },
		handler: asCase(http.NewCrossOriginProtection().Handler(http.NotFoundHandler()))},
	{name: "CrossOriginProtection of the same origin", method: "POST", body: bodyOf("x"),
		request: func(r *http.Request) { r.Header.Set("Origin", r.URL.Scheme+"://"+r.URL.Host) },
		handler: asCase(http.NewCrossOriginProtection().Handler(http.NotFoundHandler()))},
	{name: "ReverseProxy", method: "POST", body: bodyOf("hello"), handler: proxied(func(conn net.Conn) {
		_, _ = conn.Read(make([]byte, 4096))
		fmt.Fprint(conn, "HTTP/1.1 201 Created\r\nContent-Type: a/b\r\nX-Back: 1\r\n"+
			"Transfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n")
	})},
	{name: "ReverseProxy of what is cut off", handler: proxied(func(conn net.Conn) {
		_, _ = conn.Read(make([]byte, 4096))
		fmt.Fprint(conn, "HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
	})},
	{name: "ReverseProxy of what is cut off, with a length", handler: proxied(func(conn net.Conn) {
		_, _ = conn.Read(make([]byte, 4096))
		fmt.Fprint(conn, "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\nhello")
	}), differs: []difference{refused(502, gaveUp)}},
	{name: "ReverseProxy of nothing", method: "POST", handler: proxied(func(net.Conn) {})},
	{name: "ReverseProxy of an early answer", method: "POST", body: bodyOf(strings.Repeat("x", 1<<20)),
		handler: proxied(func(conn net.Conn) {
			_, _ = conn.Read(make([]byte, 4096))
			fmt.Fprint(conn, "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno")
			_, _ = io.Copy(io.Discard, conn)
		})},
}

func asCase(h http.Handler) caseHandler {
	return func(w http.ResponseWriter, r *http.Request, _ *notes) { h.ServeHTTP(w, r) }
}

// proxied passes a request on to a backend that serves one connection with back.
func proxied(back func(net.Conn)) caseHandler {
	return func(w http.ResponseWriter, r *http.Request, _ *notes) {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			panic(err)
		}
		defer listener.Close()
		go func() {
			for {
				conn, err := listener.Accept()
				if errors.Is(err, net.ErrClosed) {
					return
				}
				go func() {
					defer conn.Close()
					back(conn)
				}()
			}
		}()
		proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: listener.Addr().String()})
		proxy.Transport = &http.Transport{DisableKeepAlives: true}
		proxy.ErrorLog = quiet
		proxy.ServeHTTP(w, r)
	}
}
