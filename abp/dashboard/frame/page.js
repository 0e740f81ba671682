// What Streamlit leaves to us: a page begins at its top, and on a phone the menu closes once a page is chosen.
// Runs again whenever another page, or another run, study or form, is shown.
document.querySelector('[data-testid="stMain"]')?.scrollTo(0, 0)
if (!window.abpPages) {
  window.abpPages = true
  // The parameters of the link that was clicked last; null once anything else was.
  let linked = null
  const clicked = ({ target }) => {
    const link = target.closest?.('[data-testid="stPageLink"] a')
    linked = link ? (link.getAttribute("href").match(/\?.*/)?.[0] ?? "") : null
  }
  document.addEventListener("click", clicked, { capture: true })
  window.addEventListener("popstate", () => (linked = null))
  document.addEventListener("click", ({ target }) => {
    if (window.innerWidth <= 768 && target.closest('[data-testid="stSidebar"] a')) {
      document.querySelector('[data-testid="stSidebarCollapseButton"] button')?.click()
    }
  })
  const { pushState } = history
  let filled = null // the address whose parameters alone were changed last
  history.pushState = function (state, unused, address) {
    const next = new URL(address, location)
    const named = ({ search }) => new URLSearchParams(search).has("study")
    const samePage = next.pathname === location.pathname
    // Streamlit takes parameters of the page before along to one whose link has others, or none.
    if (!samePage && linked !== null) next.search = linked
    // A page that is opened without a study shows the newest one and says so in its address: no step to go back to.
    const filledIn = samePage && named(next) && !named(location)
    // A button that leads to another page: Streamlit gives its parameters to the page before, and then goes on.
    const passedThrough = !samePage && linked === null && filled === location.href && next.search === location.search
    filled = samePage ? next.href : null
    return (filledIn || passedThrough ? history.replaceState : pushState).call(history, state, unused, next.href)
  }
}
