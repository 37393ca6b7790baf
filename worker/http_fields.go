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

// takeHeader notes what the header says at WriteHeader.
func (w *responseWriter) takeHeader() {
	w.fields = make([]proto.Field, 0, len(w.header)+2) // see describe and setLength
	w.announced, w.framed = nil, false
	_, w.typed = w.header["Content-Type"]
	for name, values := range w.header {
		switch name {
		case "Content-Length":
			w.takeLength(values)
			continue
		case "Content-Encoding":
			w.typed = w.typed || isSet(values)
		case "Transfer-Encoding": // is the server's to say
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

// takeLength notes the announced length. One that is no number is left out, as by net/http.
func (w *responseWriter) takeLength(values []string) {
	w.framed = true
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

// isSet reports whether a field that has one value is there and not empty.
func isSet(values []string) bool { return len(values) > 0 && values[0] != "" }

func (w *responseWriter) addLength() {
	w.fields = append(w.fields, proto.Field{Name: "Content-Length", Value: strconv.FormatInt(w.length, 10)})
}

// setLength adds the length of a body that is whole in memory, as net/http does. With HEAD
// it would be that of a GET, which is not known of a handler that has written nothing.
func (w *responseWriter) setLength() {
	if w.framed || !bodyAllowed(w.status) || w.head && len(w.small) == 0 {
		return
	}
	w.length = int64(len(w.small))
	w.addLength()
}

// sniffed is how many bytes http.DetectContentType looks at.
const sniffed = 512

// describe adds the type of a body of which the handler did not say it. The body begins
// with what is held back, and goes on with next.
func (w *responseWriter) describe(next []byte) {
	if w.typed || !bodyAllowed(w.status) || len(w.small)+len(next) == 0 {
		return
	}
	begin := w.small
	switch {
	case len(begin) == 0:
		begin = next
	case len(begin) < sniffed:
		begin = append(begin[:len(begin):len(begin)], next[:min(len(next), sniffed-len(begin))]...)
	}
	w.fields = append(w.fields, proto.Field{Name: "Content-Type", Value: http.DetectContentType(begin)})
}

// interim sends a response that precedes the final one, with the header as it is.
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
	_ = cleanly(func(fields []proto.Field) error { return w.request.interim(w.ctx, status, fields) }, fields, w.log) // the client may do without
}

// trailers returns the fields that the handler announced in Trailer or marked
// with http.TrailerPrefix.
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

// cleanly has fields written by write. If they cannot be, it tries again without what HTTP
// has no room for: line breaks become spaces, as in net/http; other fields are left out.
func cleanly(write func([]proto.Field) error, fields []proto.Field, log *slog.Logger) error {
	err := write(fields)
	if err == nil || !errors.As(err, new(*proto.FormatError)) {
		return err
	}
	log.Warn("invalid header fields", "error", err)
	return write(clean(fields))
}

var lineBreaks = strings.NewReplacer("\r", " ", "\n", " ")

func clean(fields []proto.Field) (cleaned []proto.Field) {
	for _, f := range fields {
		f.Value = strings.TrimSpace(lineBreaks.Replace(f.Value))
		if _, err := proto.AppendFields(nil, []proto.Field{f}); err == nil {
			cleaned = append(cleaned, f)
		}
	}
	return cleaned
}
