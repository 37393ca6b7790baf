package e2etest

import (
	"net/http"
	"strings"
	"time"
)

// The file that the app serves: its bytes, and its time of change.
var (
	FileText    = Text(100000)
	FileChanged = time.Date(2024, 2, 29, 12, 0, 0, 0, time.UTC)
)

// FileTag is the entity tag of the file.
const FileTag = `"v1"`

// file answers as a server of files does, with ranges and conditions.
func file(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Etag", FileTag)
	http.ServeContent(w, r, "file.txt", FileChanged, strings.NewReader(FileText))
}
