/** The brand's mark: three recollections, the nearest one found. */
export function Mark({ size = 28 }: { size?: number }) {
  return (
    <svg className="mark" width={size} height={size} viewBox="0 0 32 32" aria-hidden="true" focusable="false">
      <rect className="mark-ground" width="32" height="32" rx="9" />
      <path className="mark-line" d="M8.5 23.5V12.8a4.3 4.3 0 0 1 8.6 0v6.4a4.3 4.3 0 0 0 6.4 3.7" />
      <circle className="mark-dot" cx="23.3" cy="9.6" r="2.7" />
    </svg>
  );
}
