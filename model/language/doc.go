// Package language holds methods that were made for language models, and what they begin
// with: they cut by methods of other families, or follow them. Nothing in them asks for a
// language model: PERP works on any network with matrices and kernels, the others on any
// transformer.
package language
