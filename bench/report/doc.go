// Package report holds the figures of a benchmark, and shows them: as text, as
// JSON, as Markdown, and as plots.
package report
