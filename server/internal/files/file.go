package files

import (
	"fmt"
	"io/fs"
	"mime"
	"os"
	"path"
	"strings"
	"syscall"

	"github.com/wavey-ai/upload-response/server/internal/compress"
)

// File is a file that is to be served. Release: Close.
type File struct {
	*os.File
	Info fs.FileInfo

	ContentType  string
	Coding       string // content coding; empty: none
	CacheControl string // empty: nothing is said
	Varies       bool   // the response depends on Accept-Encoding
	MissesSlash  bool   // it is the index of a folder, whose path has to end in a slash
}

// Tag returns a strong entity tag: a file that is written anew has another one.
func (f *File) Tag() string {
	var inode uint64
	if stat, ok := f.Info.Sys().(*syscall.Stat_t); ok {
		inode = stat.Ino
	}
	return fmt.Sprintf(`"%x-%x-%x"`, inode, f.Info.ModTime().UnixNano(), f.Info.Size())
}

// contentTypes are those of the names that a site has most: what a machine says of them
// differs.
var contentTypes = map[string]string{
	".html": "text/html; charset=utf-8", ".htm": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8",
	".js": "text/javascript; charset=utf-8", ".mjs": "text/javascript; charset=utf-8",
	".txt": "text/plain; charset=utf-8", ".md": "text/markdown; charset=utf-8", ".csv": "text/csv; charset=utf-8",
	".xml": "text/xml; charset=utf-8", ".vtt": "text/vtt; charset=utf-8",
	".json": "application/json", ".map": "application/json", ".webmanifest": "application/manifest+json",
	".wasm": "application/wasm", ".pdf": "application/pdf", ".zip": "application/zip", ".gz": "application/gzip",
	".zst": "application/zstd", ".tar": "application/x-tar", ".atom": "application/atom+xml",
	".svg": "image/svg+xml", ".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".gif": "image/gif",
	".webp": "image/webp", ".avif": "image/avif", ".ico": "image/vnd.microsoft.icon",
	".woff": "font/woff", ".woff2": "font/woff2", ".ttf": "font/ttf", ".otf": "font/otf",
	".mp4": "video/mp4", ".webm": "video/webm", ".mp3": "audio/mpeg", ".ogg": "audio/ogg", ".wav": "audio/wav",
	".flac": "audio/flac", ".m4a": "audio/mp4",
}

// contentTypeOf returns the type of a file by the name.
func contentTypeOf(name string) string {
	extension := strings.ToLower(path.Ext(name))
	if known := contentTypes[extension]; known != "" {
		return known
	}
	if known := mime.TypeByExtension(extension); known != "" {
		return known
	}
	return "application/octet-stream"
}

// rank returns the codings that a client prefers to the file as it is, the best first.
func rank(accept, codings []string) []string {
	if len(accept) == 0 || len(codings) == 0 {
		return nil
	}
	return compress.Rank(accept, codings)
}
