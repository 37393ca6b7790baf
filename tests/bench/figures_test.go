package bench_test

import (
	"slices"
	"testing"
)

// rounds is how often each figure is measured, in turns with the others.
const rounds = 7

// compare measures all candidates in turns and reports the median of each, and
// the ratios of the workers to the limits.
func compare(b *testing.B, list []candidate, unit string, measure func(candidate) float64) {
	found := make(map[string]*figures)
	for _, c := range list {
		found[c.name] = &figures{}
	}
	for b.Loop() {
		for range rounds {
			for _, c := range list {
				found[c.name].add(measure(c))
			}
		}
	}
	for _, c := range list {
		b.ReportMetric(found[c.name].median(), c.name+"-"+unit)
		for _, limit := range []string{tcp, inProcess} {
			if c.prefix != "" && found[limit] != nil {
				b.ReportMetric(found[c.name].ratio(found[limit]), c.name+"/"+limit)
			}
		}
	}
	b.ReportMetric(0, "ns/op")
}

// figures are the measurements of one thing, in the order of the rounds.
type figures struct{ list []float64 }

func (f *figures) add(v float64) { f.list = append(f.list, v) }

func (f *figures) median() float64 { return median(f.list) }

// ratio returns the median over the rounds of f to what was measured beside it:
// that holds when the speed of the machine drifts.
func (f *figures) ratio(to *figures) float64 {
	ratios := make([]float64, len(f.list))
	for i := range ratios {
		ratios[i] = f.list[i] / to.list[i]
	}
	return median(ratios)
}

func median(list []float64) float64 {
	sorted := slices.Sorted(slices.Values(list))
	return sorted[len(sorted)/2]
}
