package compress

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/wavey-ai/upload-response/server/internal/header"
)

// compressible reports whether the representation in a response shrinks, and may be
// changed: text of some kind, whole, in no coding yet, and with nothing in its fields
// that is said of its very bytes.
func compressible(fields http.Header, head *header.ResponseHead, least int64) bool {
	switch {
	case head.Status == http.StatusNoContent, head.Status == http.StatusPartialContent, head.Status == http.StatusNotModified:
		return false
	case head.ContentLength >= 0 && head.ContentLength < least:
		return false
	case !compressibleType(fields.Get("Content-Type")), forbidsTransforms(fields):
		return false
	}
	return !slices.ContainsFunc(ofItsBytes, func(name string) bool { return fields[name] != nil })
}

// ofItsBytes are the fields that would be wrong if the bytes were others.
var ofItsBytes = []string{"Content-Encoding", "Content-Range", "Content-Digest", "Repr-Digest", "Digest", "Content-Md5"}

// compressibleTypes are those besides text.
var compressibleTypes = map[string]bool{
	"application/javascript": true, "application/x-javascript": true, "application/json": true, "application/x-ndjson": true, "application/jsonl": true,
	"application/xml": true, "application/wasm": true, "application/yaml": true, "application/toml": true, "application/sql": true, "application/rtf": true,
	"application/graphql": true, "application/manifest+json": true, "application/vnd.ms-fontobject": true, "font/ttf": true, "font/otf": true,
	"image/bmp": true, "image/x-icon": true, "image/vnd.microsoft.icon": true,
}

// standsForWhole reports whether a response of few words stands for one with the whole
// representation that would depend on Accept-Encoding, as far as can be told. The fields
// that a cache learns from the one have to be those of the other (RFC 9110 sections 15.3.7
// and 15.4.5).
func standsForWhole(fields http.Header, head *header.ResponseHead, least int64) bool {
	length := head.ContentLength
	switch head.Status {
	case http.StatusRequestedRangeNotSatisfiable:
		return true // what it says of type and length is its own page's
	case http.StatusPartialContent:
		length = wholeLength(fields.Get("Content-Range"))
	case http.StatusNotModified:
	default:
		return false
	}
	media := fields.Get("Content-Type")
	untold := media == "" || strings.HasPrefix(strings.ToLower(media), "multipart/byteranges")
	encoded := slices.ContainsFunc(ofItsBytes, func(name string) bool { return name != "Content-Range" && fields[name] != nil })
	return (untold || compressibleType(media)) && !encoded && !forbidsTransforms(fields) && (length < 0 || length >= least)
}

// wholeLength returns the length of what a Content-Range is a part of, or -1.
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
	return strings.HasPrefix(media, "text/") || compressibleTypes[media] || strings.HasSuffix(media, "+json") || strings.HasSuffix(media, "+xml") || strings.HasSuffix(media, "+text")
}

// forbidsTransforms reports whether a message is to pass as it is (RFC 9110 section
// 7.7).
func forbidsTransforms(fields http.Header) bool {
	return header.HasElement(fields["Cache-Control"], "no-transform")
}

// vary says that the response depends on the request's Accept-Encoding.
func vary(fields http.Header) {
	if !header.HasElement(fields["Vary"], "Accept-Encoding") && !header.HasElement(fields["Vary"], "*") {
		fields["Vary"] = append(fields["Vary"], "Accept-Encoding")
	}
}

// encodedAs says in which coding the body is, and takes back what the worker said of
// it as it was. Equal contents have unlike bytes now, which is what a weak tag means
// (RFC 9110 section 8.8.1).
func encodedAs(fields http.Header, coding string) {
	fields["Content-Encoding"] = []string{coding}
	delete(fields, "Content-Length")
	delete(fields, "Accept-Ranges")
	if tag := fields.Get("Etag"); strings.HasPrefix(tag, `"`) {
		fields["Etag"] = []string{"W/" + tag}
	}
}
