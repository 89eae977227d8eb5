"""What every chart is made with: style, marks, SVG."""
