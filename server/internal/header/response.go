package header

import (
	"errors"
	"fmt"
	"net/http"
	"net/textproto"
	"strconv"

	"github.com/wavey-ai/upload-response/proto"
	"github.com/wavey-ai/upload-response/server/internal/fault"
)

// ResponseHead is what the server needs to know of the headers of a response.
type ResponseHead struct {
	Status        int
	ContentLength int64 // -1: not said
	BodyAllowed   bool
}

// WriteResponse checks the headers frame of a response and copies the fields into header.
// On error, header may be partly filled.
func WriteResponse(header http.Header, frame *proto.Response, method string) (ResponseHead, error) {
	head := ResponseHead{Status: int(frame.Status), ContentLength: -1}
	if head.Status < 200 || head.Status > 999 {
		return head, fmt.Errorf("%w: status %d", fault.ErrWorkerInvalid, head.Status)
	}
	head.BodyAllowed = method != http.MethodHead &&
		head.Status != http.StatusNoContent && head.Status != http.StatusNotModified
	if head.Status == http.StatusResetContent {
		// RFC 9110 section 15.3.6, whatever the worker says
		head.BodyAllowed, header["Content-Length"] = false, []string{"0"}
	}
	if err := head.copyFields(header, frame.Fields); err != nil {
		return head, err
	}
	if head.BodyAllowed && head.ContentLength < 0 {
		announceTrailers(header, valuesOf(frame.Fields, "trailer"))
	}
	if header["Content-Type"] == nil {
		header["Content-Type"] = nil // or net/http and package http3 would guess
	}
	return head, nil
}

// copyFields copies the fields that pass into header.
func (h *ResponseHead) copyFields(header http.Header, fields []proto.Field) error {
	listed := connectionNames(valuesOf(fields, "connection"))
	values := make([]string, 0, len(fields)) // one array for all the values
	for _, f := range fields {
		name := textproto.CanonicalMIMEHeaderKey(f.Name)
		if policies[name] == dropAlways || listed[name] || name == "Content-Length" &&
			h.Status == http.StatusResetContent {
			continue
		}
		value := trimmed(f.Value)
		if name == "Content-Length" {
			if err := h.setContentLength(value); err != nil {
				return err
			}
			if h.Status == http.StatusNoContent {
				continue // RFC 9110 section 8.6; a 304 may say what the 200 would
			}
		}
		if old := header[name]; old != nil {
			header[name] = append(old, value)
			continue
		}
		values = append(values, value)
		header[name] = values[len(values)-1 : len(values) : len(values)]
	}
	return nil
}

// errTwoLengths is the reason for refusing a response with two lengths.
var errTwoLengths = errors.New("two different Content-Length fields")

func (h *ResponseHead) setContentLength(value string) error {
	n, err := strconv.ParseUint(value, 10, 63)
	if err == nil && h.ContentLength >= 0 {
		err = errTwoLengths
	}
	if err != nil {
		return fmt.Errorf("%w: Content-Length %q: %w", fault.ErrWorkerInvalid, value, err)
	}
	h.ContentLength = int64(n)
	return nil
}

// WriteInterim checks the headers frame of an interim response and copies the fields into
// header. Only the server itself sends 100 and 101.
func WriteInterim(header http.Header, frame *proto.Response) error {
	if frame.Status <= http.StatusSwitchingProtocols || frame.Status >= http.StatusOK {
		return fmt.Errorf("%w: status %d before the response", fault.ErrWorkerInvalid, frame.Status)
	}
	listed := connectionNames(valuesOf(frame.Fields, "connection"))
	for _, f := range frame.Fields {
		name := textproto.CanonicalMIMEHeaderKey(f.Name)
		if policies[name] != dropAlways && !listed[name] && name != "Content-Length" { // RFC 9110 section 8.6
			header[name] = append(header[name], trimmed(f.Value))
		}
	}
	return nil
}

// Upgraded returns the fields of the response by which a worker accepts a WebSocket.
func Upgraded(fields []proto.Field) http.Header {
	header := http.Header{}
	for _, f := range fields {
		name := http.CanonicalHeaderKey(f.Name)
		if policies[name] == pass && name != "Content-Length" {
			header[name] = append(header[name], f.Value)
		}
	}
	return header
}

func valuesOf(fields []proto.Field, name string) (values []string) {
	for _, f := range fields {
		if f.Name == name {
			values = append(values, f.Value)
		}
	}
	return values
}
