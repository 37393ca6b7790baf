// Slots upper-cases uploads while they come in, slot by slot, straight from one
// shared memory to the other.
//
//	go build -o build/ ./examples/go/slots
//	upload-response serve --worker default=build/slots
//	curl -N -T . http://127.0.0.1:8080/      and type
package main

import (
	"context"
	"log"
	"net/http"
	"os"

	"github.com/wavey-ai/upload-response/proto"
	"github.com/wavey-ai/upload-response/worker"
)

func main() {
	ctx := context.Background()
	link, err := worker.Attach(ctx, os.Getenv("UPLOAD_RESPONSE_SOCKET"), worker.WithName("slots"))
	if err != nil {
		log.Fatal(err)
	}
	for {
		request, err := link.Next(ctx)
		if err != nil {
			log.Fatal(err) // the server is gone
		}
		go func() { // many requests at once
			if err := upperCase(ctx, request); err != nil {
				request.Abort()
				log.Print(err)
			}
		}()
	}
}

// upperCase serves one request: its slot 1 is the headers, then comes the body,
// and after it the end.
func upperCase(ctx context.Context, r *worker.Request) error {
	for n := uint64(1); ; n++ {
		slot, err := r.Tail(ctx, n) // waits for the client
		if err != nil {
			return err
		}
		switch slot.Kind {
		case worker.Headers:
			err = r.Respond(ctx, http.StatusOK, []proto.Field{{Name: "content-type",
				Value: "text/plain; charset=utf-8"}})
		case worker.Body:
			err = upperCaseSlot(ctx, r, slot.Bytes)
		case worker.End:
			return r.End(ctx)
		}
		if err != nil {
			return err
		}
		r.Release(n) // the slot's bytes are the server's again
	}
}

// upperCaseSlot writes the bytes of one slot to the response and sends them.
func upperCaseSlot(ctx context.Context, r *worker.Request, from []byte) error {
	for len(from) > 0 {
		to, err := r.Reserve(ctx) // waits while the response has no room
		if err != nil {
			return err
		}
		n := min(len(from), len(to))
		for i, c := range from[:n] {
			if 'a' <= c && c <= 'z' {
				c -= 'a' - 'A'
			}
			to[i] = c
		}
		r.Commit(n)
		from = from[n:]
	}
	return r.Flush()
}
