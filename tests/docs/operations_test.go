package docs_test

import (
	"strings"
	"testing"
)

// Each block of the page starts a server, whose worker then answers a request, or is about the
// server of the block before it.
func TestTheConsoleBlocksAboutOperationsWork(t *testing.T) {
	var scenes []scene
	for _, block := range consoleBlocks(read(t, "docs/operations.md")) {
		if !strings.Contains(block[0], " serve ") { // in another terminal
			last := &scenes[len(scenes)-1]
			last.blocks = append(last.blocks, block[0])
			continue
		}
		_, name, _ := strings.Cut(block[0], "--listen 127.0.0.1:8080 ")
		scenes = append(scenes, scene{
			name: name, blocks: block[:1],
			before: []string{"head -c 1M /dev/urandom > big.file"},
			after:  []string{"curl -T big.file http://127.0.0.1:8080/digest"},
		})
	}
	if len(scenes) < 7 {
		t.Fatalf("%d blocks", len(scenes))
	}
	runScenes(t, "docs/operations.md", scenes)
}
