package worker

import (
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"strings"

	"github.com/wavey-ai/upload-response/proto"
)

// bodyAllowed reports whether a response of a status has a body (RFC 9110 section 6.4.1).
func bodyAllowed(status int) bool {
	return status >= 200 && status != http.StatusNoContent && status != http.StatusNotModified
}

// snapshotHeader takes the fields that the header has at WriteHeader.
func (w *responseWriter) snapshotHeader() {
	w.fields = make([]proto.Field, 0, len(w.header)+2) // room for the type and the length
	w.announced, w.hasLength = nil, false
	_, w.hasType = w.header["Content-Type"]
	for name, values := range w.header {
		switch name {
		case "Content-Length":
			w.setAnnouncedLength(values)
			continue
		case "Content-Encoding":
			w.hasType = w.hasType || isSet(values)
		case "Transfer-Encoding": // the server decides
			continue
		case "Content-Type":
			if w.status == http.StatusNotModified { // RFC 9110 section 15.4.5
				continue
			}
		case "Trailer":
			w.announced = trailerNames(values)
		}
		if strings.HasPrefix(name, http.TrailerPrefix) {
			continue
		}
		for _, value := range values {
			w.fields = append(w.fields, proto.Field{Name: name, Value: value})
		}
	}
}

// setAnnouncedLength sets the announced length. It drops one that is no number, like
// net/http.
func (w *responseWriter) setAnnouncedLength(values []string) {
	w.hasLength = true
	if !isSet(values) {
		return
	}
	n, err := strconv.ParseUint(strings.TrimSpace(values[0]), 10, 63)
	if err != nil {
		w.log.Warn("invalid Content-Length", "stream", w.request.id, "value", values[0])
		return
	}
	w.length = int64(n)
	w.addLength()
}

// isSet reports whether a field with a single value is present and not empty.
func isSet(values []string) bool { return len(values) > 0 && values[0] != "" }

func (w *responseWriter) addLength() {
	w.fields = append(w.fields, proto.Field{Name: "Content-Length", Value: strconv.FormatInt(w.length, 10)})
}

// addWholeLength adds the length of a body that is completely held back, like net/http. For
// HEAD the length is that of a GET: if the handler has written nothing, it is unknown.
func (w *responseWriter) addWholeLength() {
	if w.hasLength || !bodyAllowed(w.status) || w.head && len(w.held) == 0 {
		return
	}
	w.length = int64(len(w.held))
	w.addLength()
}

// sniffBytes is how many bytes http.DetectContentType considers.
const sniffBytes = 512

// addContentType guesses the type of the body if the handler did not set one. The body
// begins with the bytes held back, and continues with next.
func (w *responseWriter) addContentType(next []byte) {
	if w.hasType || !bodyAllowed(w.status) || len(w.held)+len(next) == 0 {
		return
	}
	begin := w.held
	switch {
	case len(begin) == 0:
		begin = next
	case len(begin) < sniffBytes:
		begin = append(begin[:len(begin):len(begin)], next[:min(len(next), sniffBytes-len(begin))]...)
	}
	w.fields = append(w.fields, proto.Field{Name: "Content-Type", Value: http.DetectContentType(begin)})
}

// interim sends an interim response with the current header.
func (w *responseWriter) interim(status int) {
	var fields []proto.Field
	for name, values := range w.header {
		if strings.HasPrefix(name, http.TrailerPrefix) || name == "Content-Length" || name == "Trailer" {
			continue
		}
		for _, value := range values {
			fields = append(fields, proto.Field{Name: name, Value: value})
		}
	}
	send := func(fields []proto.Field) error { return w.request.interim(w.ctx, status, fields) }
	_ = writeClean(send, fields, w.log) // a client can do without it
}

// trailers returns the fields that the handler announced in Trailer or marked with
// http.TrailerPrefix.
func (w *responseWriter) trailers() (fields []proto.Field) {
	for _, name := range w.announced {
		for _, v := range w.header[name] {
			fields = append(fields, proto.Field{Name: name, Value: v})
		}
	}
	for name, values := range w.header {
		if name, ok := strings.CutPrefix(name, http.TrailerPrefix); ok {
			for _, v := range values {
				fields = append(fields, proto.Field{Name: name, Value: v})
			}
		}
	}
	return fields
}

func trailerNames(values []string) (names []string) {
	for _, value := range values {
		for name := range strings.SplitSeq(value, ",") {
			if name = strings.TrimSpace(name); name != "" {
				names = append(names, http.CanonicalHeaderKey(name))
			}
		}
	}
	return names
}

// writeClean calls write with fields. If fields are invalid it tries again: line breaks become
// spaces, as under net/http, and other invalid fields are left out.
func writeClean(write func([]proto.Field) error, fields []proto.Field, log *slog.Logger) error {
	err := write(fields)
	if err == nil || !errors.As(err, new(*proto.FormatError)) {
		return err
	}
	log.Warn("invalid header fields", "error", err)
	return write(cleanFields(fields))
}

var lineBreaks = strings.NewReplacer("\r", " ", "\n", " ")

func cleanFields(fields []proto.Field) (valid []proto.Field) {
	for _, f := range fields {
		f.Value = strings.TrimSpace(lineBreaks.Replace(f.Value))
		if _, err := proto.AppendFields(nil, []proto.Field{f}); err == nil {
			valid = append(valid, f)
		}
	}
	return valid
}
