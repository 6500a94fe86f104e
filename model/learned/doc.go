// Package learned holds methods that learn their masks: every weight has a score that
// is trained, and the mask follows the scores.
package learned
