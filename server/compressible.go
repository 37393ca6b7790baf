package server

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// compressible reports whether the representation in a response shrinks, and may be
// changed: text of some kind, whole, in no coding yet, and with nothing in its fields
// that is said of its very bytes.
func compressible(header http.Header, head *responseHead, least int64) bool {
	switch {
	case head.status == http.StatusNoContent, head.status == http.StatusPartialContent, head.status == http.StatusNotModified:
		return false
	case head.contentLength >= 0 && head.contentLength < least:
		return false
	case !compressibleType(header.Get("Content-Type")), forbidsTransforms(header):
		return false
	}
	return !slices.ContainsFunc(ofItsBytes, func(name string) bool { return header[name] != nil })
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
func standsForWhole(header http.Header, head *responseHead, least int64) bool {
	length := head.contentLength
	switch head.status {
	case http.StatusRequestedRangeNotSatisfiable:
		return true // what it says of type and length is its own page's
	case http.StatusPartialContent:
		length = wholeLength(header.Get("Content-Range"))
	case http.StatusNotModified:
	default:
		return false
	}
	media := header.Get("Content-Type")
	untold := media == "" || strings.HasPrefix(strings.ToLower(media), "multipart/byteranges")
	encoded := slices.ContainsFunc(ofItsBytes, func(name string) bool { return name != "Content-Range" && header[name] != nil })
	return (untold || compressibleType(media)) && !encoded && !forbidsTransforms(header) && (length < 0 || length >= least)
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
func forbidsTransforms(header http.Header) bool {
	return listHas(header["Cache-Control"], "no-transform")
}

// listHas reports whether a list in one or several fields has an element, in any case.
func listHas(fields []string, element string) bool {
	for _, field := range fields {
		for each := range strings.SplitSeq(field, ",") {
			if strings.EqualFold(strings.TrimSpace(each), element) {
				return true
			}
		}
	}
	return false
}

// vary says that the response depends on the request's Accept-Encoding.
func vary(header http.Header) {
	if !listHas(header["Vary"], "Accept-Encoding") && !listHas(header["Vary"], "*") {
		header["Vary"] = append(header["Vary"], "Accept-Encoding")
	}
}

// encodedAs says in which coding the body is, and takes back what the worker said of
// it as it was. Equal contents have unlike bytes now, which is what a weak tag means
// (RFC 9110 section 8.8.1).
func encodedAs(header http.Header, coding string) {
	header["Content-Encoding"] = []string{coding}
	delete(header, "Content-Length")
	delete(header, "Accept-Ranges")
	if tag := header.Get("Etag"); strings.HasPrefix(tag, `"`) {
		header["Etag"] = []string{"W/" + tag}
	}
}
