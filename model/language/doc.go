// Package language holds methods that were made for language models, and what they begin
// with: they cut by methods of other families, or follow them. PERP works on any network with
// matrices and kernels, Compresso on any with attention and feed-forward layers behind it.
package language
