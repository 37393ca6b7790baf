package docs_test

import "testing"

func TestTheConsoleBlocksOfThePageOnObservabilityWork(t *testing.T) {
	const worker = " --worker 'default=./build/upload-response worker digest'"
	runScenes(t, "docs/observability.md", []scene{
		{
			name:   "access log",
			blocks: []string{"./build/upload-response serve --access-log" + worker + " &"},
			before: []string{"head -c 100M /dev/urandom > big.file"},
		},
		{
			name: "template",
			blocks: []string{"./build/upload-response serve --access-log-file /tmp/access.log --access-log-format " +
				"'{time} {client} {method} {target} {status} {duration_s}' --access-log-skip /up" + worker + " &"},
			before: []string{"head -c 100M /dev/urandom > big.file"},
			after:  []string{"timeout 60 grep -q 'PUT /.*from=here 200 [0-9.]*$' <(tail -n +1 -F /tmp/access.log)"},
		},
		{
			name:   "metrics",
			blocks: []string{"./build/upload-response serve --metrics 127.0.0.1:9180" + worker + " &"},
			before: []string{"head -c 100M /dev/urandom > big.file"},
		},
		{
			name: "traces",
			blocks: []string{
				"./build/upload-response serve --tracing http://127.0.0.1:4318 --tracing-sample 10%" + worker},
			before: []string{"head -c 100M /dev/urandom > big.file"},
			after:  []string{"curl -T big.file http://127.0.0.1:8080/"},
		},
	})
}
