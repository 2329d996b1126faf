package main

import (
	"fmt"
	"os"
	"slices"
)

// side is one of the programs or ways that a comparison compares.
type side struct {
	name    string
	run     func() (result, error)
	results []result // one a round
}

// alternate runs all sides n times, in order and then in reverse order by turns. Before that it runs the first side
// once without counting it, because Spark and the file cache are still cold.
func alternate(n int, sides ...*side) error {
	once := func(s *side, round int) error {
		r, err := s.run()
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		fmt.Fprintf(os.Stderr, "round %d: %s: %.1f s\n", round, s.name, r.seconds)
		if round > 0 {
			s.results = append(s.results, r)
		}
		return nil
	}
	if err := once(sides[0], 0); err != nil {
		return err
	}
	order := slices.Clone(sides)
	for round := range n {
		for _, s := range order {
			if err := once(s, round+1); err != nil {
				return err
			}
		}
		slices.Reverse(order)
	}
	return nil
}

func seconds(r result) float64 { return r.seconds }
func rss(r result) float64     { return r.rss }

// median returns the median of a figure over the rounds.
func (s *side) median(figure func(result) float64) float64 {
	all := make([]float64, len(s.results))
	for i, r := range s.results {
		all[i] = figure(r)
	}
	return median(all)
}

// ratio returns the median, the least and the greatest of the ratios of a figure of s to that of other, round by round.
func (s *side) ratio(other *side, figure func(result) float64) (mid, low, high float64) {
	all := make([]float64, len(s.results))
	for i := range all {
		all[i] = figure(s.results[i]) / figure(other.results[i])
	}
	return median(all), slices.Min(all), slices.Max(all)
}
