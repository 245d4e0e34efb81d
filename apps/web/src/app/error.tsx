"use client";

import { Mark } from "../components/mark.tsx";

export default function PageError({ reset }: { error: Error & { digest?: string }; reset: () => void }) {
  return (
    <main id="content" className="lost">
      <Mark size={44} />
      <h1>This page could not be shown</h1>
      <p>Something went wrong at our side. What you stored is safe.</p>
      <button className="button primary" type="button" onClick={reset}>
        Try again
      </button>
    </main>
  );
}
