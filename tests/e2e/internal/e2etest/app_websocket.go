package e2etest

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"github.com/wavey-ai/upload-response/worker"
)

// socketEcho sends every message back, and says how the WebSocket ended. Messages
// that it knows have it do something else.
func socketEcho(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	if offered := strings.Split(r.Header.Get("Sec-Websocket-Protocol"), ", "); q.Has("choose") {
		w.Header().Set("Sec-Websocket-Protocol", offered[number(q, "choose")])
	}
	if protocol := q.Get("protocol"); protocol != "" {
		w.Header().Set("Sec-Websocket-Protocol", protocol)
	}
	w.Header().Set("X-Seen", strings.Join([]string{
		r.Method, r.Header.Get("Upgrade"), r.Header.Get("Sec-Websocket-Key"), r.Header.Get("Sec-Websocket-Version"),
	}, "|"))
	socket, err := worker.AcceptWebSocket(w, r)
	if err != nil {
		say("socket %s: %v", q.Get("id"), err)
		panic(http.ErrAbortHandler)
	}
	err = converse(r.Context(), socket)
	say("socket %s: %v", q.Get("id"), err)
	if errors.Is(err, errGiveUp) {
		panic(http.ErrAbortHandler)
	}
}

var errGiveUp = errors.New("told to give up")

func converse(ctx context.Context, socket *worker.WebSocket) error {
	for {
		kind, message, err := socket.Read(ctx)
		if err != nil {
			return err
		}
		command, argument, _ := strings.Cut(string(message), " ")
		n, _ := strconv.Atoi(argument)
		switch command {
		case "close":
			return socket.Close(uint16(n), "as told")
		case "return":
			return nil
		case "abort":
			return errGiveUp
		case "begin":
			err = socket.WritePart(ctx, worker.Text, []byte(argument), false)
		case "parts":
			err = parts(ctx, socket, n)
		case "garble":
			err = socket.Write(ctx, worker.Text, []byte("\xff"))
		case "flood":
			for err == nil {
				err = socket.Write(ctx, worker.Binary, make([]byte, 100000))
			}
		case "deaf":
			<-ctx.Done()
			err = ctx.Err()
		default:
			err = socket.Write(ctx, kind, message)
		}
		if err != nil {
			return err
		}
	}
}

// parts sends a message in so many parts, and an empty one as the last.
func parts(ctx context.Context, socket *worker.WebSocket, n int) (err error) {
	for i := 0; i < n && err == nil; i++ {
		err = socket.WritePart(ctx, worker.Text, []byte("é"), false)
	}
	if err == nil {
		err = socket.WritePart(ctx, worker.Text, nil, true)
	}
	return err
}

// socketBye closes at once.
func socketBye(w http.ResponseWriter, r *http.Request) {
	if socket, err := worker.AcceptWebSocket(w, r); err == nil {
		_ = socket.Close(1000, "bye")
	}
}
