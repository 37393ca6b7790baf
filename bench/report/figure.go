package report

import "slices"

// Better says whether a higher or a lower figure is better.
type Better string

// Ratios of figures that are Neither say nothing.
const (
	Higher  Better = "higher"
	Lower   Better = "lower"
	Neither Better = ""
)

// Metric is a quantity that is measured.
type Metric struct {
	Name   string `json:"name"`
	Unit   string `json:"unit"`
	Better Better `json:"better,omitempty"`
	Cost   bool   `json:"cost,omitempty"` // not compared with the limits, and shown without spread
}

// Spread is a median over rounds, with the least and the most.
type Spread struct {
	Median float64 `json:"median"`
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
	Rounds int     `json:"rounds"`
}

// SpreadOf returns the spread of a list.
//
// Preconditions: the list is not empty.
func SpreadOf(list []float64) Spread {
	sorted := slices.Sorted(slices.Values(list))
	return Spread{Median: Median(sorted), Min: sorted[0], Max: sorted[len(sorted)-1], Rounds: len(sorted)}
}

// Median returns the median.
//
// Preconditions: the list is sorted and not empty.
func Median(sorted []float64) float64 {
	n := len(sorted)
	if n%2 == 1 {
		return sorted[n/2]
	}
	return (sorted[n/2-1] + sorted[n/2]) / 2
}

// Ratio is a figure divided by that of a limit: the spread of the ratios within each round,
// which holds even when the speed of the machine drifts.
type Ratio struct {
	To string `json:"to"`
	Spread
}

// Figure is one metric of one candidate.
type Figure struct {
	Metric
	Spread
	Values []float64 `json:"values"` // in the order of the rounds
	Ratios []Ratio   `json:"ratios,omitempty"`
}

// compare adds the ratio to the figure of a limit, measured in the same rounds.
func (f *Figure) compare(name string, limit *Figure) {
	var ratios []float64
	for i, v := range f.Values {
		if i < len(limit.Values) && limit.Values[i] > 0 {
			ratios = append(ratios, v/limit.Values[i])
		}
	}
	if len(ratios) > 0 {
		f.Ratios = append(f.Ratios, Ratio{To: name, Spread: SpreadOf(ratios)})
	}
}
