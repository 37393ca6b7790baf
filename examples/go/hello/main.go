// Hello is the smallest worker: any http.Handler.
//
//	go build -o build/ ./examples/go/hello
//	upload-response serve --worker default=build/hello
//	curl http://127.0.0.1:8080/you
package main

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"os"

	"github.com/wavey-ai/upload-response/worker"
)

func main() {
	hello := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprintln(w, "hello", r.URL.Path) })
	log.Fatal(worker.Serve(context.Background(), os.Getenv("UPLOAD_RESPONSE_SOCKET"), hello))
}
