package bench_test

import "slices"

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
