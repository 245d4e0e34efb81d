import Link from "next/link";
import { Mark } from "../components/mark.tsx";

export default function NotFound() {
  return (
    <main id="content" className="lost">
      <Mark size={44} />
      <h1>Nothing is kept here</h1>
      <p>This address leads nowhere. Perhaps it was mistyped.</p>
      <Link className="button primary" href="/">
        Back to your memories
      </Link>
    </main>
  );
}
