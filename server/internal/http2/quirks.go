package http2

import (
	"io"
	"reflect"

	"github.com/wavey-ai/upload-response/server/internal/http2/extendedconnect"
)

// What the server needs of net/http's HTTP/2 and net/http has no interface for. Each has a
// test that fails when a new version of Go does it differently.

// Net/http accepts an extended CONNECT only if GODEBUG says so when it is initialised
// (https://go.dev/issue/71128); a field of [http.HTTP2Config] for it is proposed
// (https://go.dev/issue/53208). Package extendedconnect sets the variable before, and here
// the variable gets its old value back.
func init() { extendedconnect.Done() }

// AwaitsContinue reports whether the client of a request waits for 100 Continue. Net/http
// removes the Expect field, which it leaves there over HTTP/1.1
// (https://go.dev/issue/13893), and only the field needsContinue of the body knows
// (http2requestBody in h2_bundle.go of Go 1.26). If there is no such field, every client is
// taken to wait: its body is read a little later then.
func AwaitsContinue(body io.ReadCloser) bool {
	v := reflect.Indirect(reflect.ValueOf(body))
	if v.Kind() != reflect.Struct {
		return false
	}
	field := v.FieldByName("needsContinue")
	return !field.IsValid() || field.Kind() != reflect.Bool || field.Bool()
}
