package compress

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/wavey-ai/upload-response/server/internal/header"
)

// compressible reports whether the representation in a response shrinks, and may be
// changed: text of some kind, whole, not encoded yet, and without a field that describes
// the very bytes.
func compressible(fields http.Header, head *header.ResponseHead, minimum int64) bool {
	switch {
	case head.Status == http.StatusNoContent, head.Status == http.StatusPartialContent,
		head.Status == http.StatusNotModified:
		return false
	case head.ContentLength >= 0 && head.ContentLength < minimum:
		return false
	case !compressibleType(fields.Get("Content-Type")), forbidsTransforms(fields):
		return false
	}
	return !slices.ContainsFunc(byteFields, func(name string) bool { return fields[name] != nil })
}

// byteFields are the fields that would be wrong with other bytes.
var byteFields = []string{
	"Content-Encoding", "Content-Range", "Content-Digest", "Repr-Digest", "Digest", "Content-Md5",
}

// compressibleTypes are those besides text.
var compressibleTypes = map[string]bool{
	"application/javascript": true, "application/x-javascript": true, "application/json": true,
	"application/x-ndjson": true, "application/jsonl": true, "application/xml": true, "application/wasm": true,
	"application/yaml": true, "application/toml": true, "application/sql": true, "application/rtf": true,
	"application/graphql": true, "application/manifest+json": true, "application/vnd.ms-fontobject": true,
	"font/ttf": true, "font/otf": true,
	"image/bmp": true, "image/x-icon": true, "image/vnd.microsoft.icon": true,
}

// standsForWhole reports whether a 206, 304 or 416 stands for a response with the whole
// representation which would depend on Accept-Encoding, as far as can be told. A cache
// learns fields from it that have to be those of the whole (RFC 9110 sections 15.3.7 and
// 15.4.5).
func standsForWhole(fields http.Header, head *header.ResponseHead, minimum int64) bool {
	length := head.ContentLength
	switch head.Status {
	case http.StatusRequestedRangeNotSatisfiable:
		return true // type and length are those of the error page
	case http.StatusPartialContent:
		length = wholeLength(fields.Get("Content-Range"))
	case http.StatusNotModified:
	default:
		return false
	}
	media := fields.Get("Content-Type")
	unknown := media == "" || strings.HasPrefix(strings.ToLower(media), "multipart/byteranges")
	encoded := slices.ContainsFunc(byteFields, func(name string) bool {
		return name != "Content-Range" && fields[name] != nil
	})
	return (unknown || compressibleType(media)) && !encoded && !forbidsTransforms(fields) &&
		(length < 0 || length >= minimum)
}

// wholeLength returns the length of the whole of which a Content-Range is a part, or -1.
func wholeLength(contentRange string) int64 {
	_, text, _ := strings.Cut(contentRange, "/")
	length, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
	if err != nil || length < 0 {
		return -1
	}
	return length
}

func compressibleType(contentType string) bool {
	media, _, _ := strings.Cut(contentType, ";")
	media = strings.ToLower(strings.TrimSpace(media))
	return strings.HasPrefix(media, "text/") || compressibleTypes[media] ||
		strings.HasSuffix(media, "+json") || strings.HasSuffix(media, "+xml") || strings.HasSuffix(media, "+text")
}

// forbidsTransforms reports whether a message has to pass unchanged (RFC 9110 section 7.7).
func forbidsTransforms(fields http.Header) bool {
	return header.HasElement(fields["Cache-Control"], "no-transform")
}

// vary says that the response depends on the request's Accept-Encoding.
func vary(fields http.Header) {
	if !header.HasElement(fields["Vary"], "Accept-Encoding") && !header.HasElement(fields["Vary"], "*") {
		fields["Vary"] = append(fields["Vary"], "Accept-Encoding")
	}
}

// setCoding says in which coding the body is, and removes what the worker said of the body
// as it was. Equal contents can have different bytes now, as a weak tag says (RFC 9110
// section 8.8.1).
func setCoding(fields http.Header, coding string) {
	fields["Content-Encoding"] = []string{coding}
	delete(fields, "Content-Length")
	delete(fields, "Accept-Ranges")
	if tag := fields.Get("Etag"); strings.HasPrefix(tag, `"`) {
		fields["Etag"] = []string{"W/" + tag}
	}
}
